//! Rooms inside a crate that do not know one another.

use std::collections::BTreeSet;

use crate::code_of;

/// A crate, a room of it, and the other rooms that it does not name.
const APART: &[(&str, &str, &[&str])] = &[
    ("source", "listener", &["dnsmasq", "neighbors"]),
    ("source", "dnsmasq", &["listener", "neighbors", "advertiser"]),
    ("source", "neighbors", &["listener", "dnsmasq", "advertiser"]),
    ("source", "advertiser", &["dnsmasq", "neighbors"]),
    ("reconcile", "instance", &["routes", "networks"]),
    ("reconcile", "routes", &["instance", "networks"]),
    ("reconcile", "networks", &["instance", "routes"]),
    ("host", "plan", &["local", "fake"]),
    ("host", "local", &["fake"]),
    ("host", "fake", &["local"]),
];

/// Files of the command line that may open the database. All other verbs talk to the API only.
const WITH_DATABASE: &[&str] = &[
    "backup", "restore", "check", "serve", "failure", "probe", "routes", "secrets", "teardown", "doctor",
];

/// The first names after `crate::` and `super::`, also those in braces.
fn named(code: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for (at, start) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        let rest = &code[at + start.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group.split('}').next().unwrap_or_default().split(',').map(first)),
            None => drop(names.insert(first(rest))),
        }
    }
    names
}

/// The name that a path begins with.
fn first(path: &str) -> &str {
    let path = path.trim();
    let end = path.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    &path[..end.unwrap_or(path.len())]
}

#[test]
fn names_are_found_alone_and_in_braces() {
    let code = "use crate::listener::Port;\nuse crate::{dnsmasq::Hook, Recorder};\nlet x = super::neighbors::hosts();";
    assert_eq!(
        named(code),
        BTreeSet::from(["listener", "dnsmasq", "Recorder", "neighbors"])
    );
}

#[test]
fn rooms_that_are_apart_do_not_name_one_another() {
    for (name, room, others) in APART {
        let folder = code_of(&format!("crates/{name}/src/{room}"));
        let code = folder + &code_of(&format!("crates/{name}/src/{room}.rs"));
        assert!(
            !code.is_empty(),
            "there is no room {room} in {name} any more: say where it went"
        );
        let named = named(&code);
        for other in *others {
            assert!(!named.contains(other), "{room} in {name} names {other}");
        }
    }
}

#[test]
fn a_verb_that_talks_to_the_api_does_not_open_the_database() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/cli/src");
    let mut seen = 0;
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let code = code_of(path.to_str().unwrap());
        seen += 1;
        assert!(
            WITH_DATABASE.contains(&stem) || !code.contains("orchestrator_store"),
            "the verb {stem} names the store"
        );
    }
    assert!(seen > 15, "only {seen} verbs were looked at");
}
