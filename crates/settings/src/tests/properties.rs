//! Any text is either read as settings or refused, and nothing panics.

use std::collections::BTreeSet;

use config::ValueKind;
use proptest::prelude::*;

use super::overriding::OTHER;
use super::*;

fn any_value() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("fd39::1/64".to_owned()),
        Just("none".to_owned()),
        Just("1h".to_owned()),
        Just("dnsmasq".to_owned()),
        "\\PC{0,12}"
    ];
    let leaf = prop_oneof![
        Just(ValueKind::Nil),
        any::<bool>().prop_map(ValueKind::Boolean),
        any::<i64>().prop_map(ValueKind::I64),
        any::<f64>().prop_map(ValueKind::Float),
        word.prop_map(ValueKind::String),
    ];
    let leaf = leaf.prop_map(|kind| Value::new(None, kind));
    leaf.prop_recursive(5, 64, 8, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4).prop_map(ValueKind::Array);
        let table = prop::collection::hash_map(any_key(), inner, 0..8);
        let table = table.prop_map(|entries| ValueKind::Table(entries.into_iter().collect()));
        prop_oneof![list, table].prop_map(|kind| Value::new(None, kind))
    })
}

fn any_key() -> impl Strategy<Value = String> {
    let known: Vec<String> = OTHER
        .iter()
        .flat_map(|(variable, _)| variable.split("__"))
        .map(str::to_lowercase)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    prop_oneof![4 => prop::sample::select(known), 1 => "\\PC{0,8}"]
}

proptest! {
    #[test]
    fn no_tree_makes_it_panic(
        entries in prop::collection::hash_map(any_key(), any_value(), 0..8),
        variables in prop::collection::vec((prop::collection::vec(any_key(), 0..6), "\\PC{0,12}"), 0..4),
    ) {
        let root = Value::new(None, ValueKind::Table(entries.into_iter().collect()));
        let variables = variables.into_iter().map(|(path, value)| (format!("{PREFIX}{}", path.join("__")), value));
        // Settings that are refused have at least one fault.
        if let Err(faults) = read(root, variables, KINDS) {
            prop_assert!(faults.iter().count() > 0);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]a-z0-9=\"'{}.,\n ]{0,200}") {
        if let Ok(root) = tree::from_toml(&text)
            && let Err(faults) = read(root, std::iter::empty(), KINDS)
        {
            prop_assert!(faults.iter().count() > 0);
        }
    }
}
