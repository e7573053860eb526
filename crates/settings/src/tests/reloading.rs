//! The effect of other settings on running ones.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::overriding::{OTHER, besides};
use super::*;

/// The documented settings with some of the other values, if they are valid.
fn with(variables: &[usize]) -> Option<Settings> {
    let pairs = variables.iter().map(|index| OTHER[*index]);
    let mut env: Vec<(String, String)> = Vec::new();
    for (variable, value) in pairs {
        env.extend(besides(variable).map(|(name, value)| (name.to_owned(), value.to_owned())));
        env.push((variable.to_owned(), value.to_owned()));
    }
    let env = env.into_iter().map(|(name, value)| (format!("{PREFIX}{name}"), value));
    read(tree::from_toml(DOCUMENTED).unwrap(), env, KINDS).ok()
}

fn keys(reload: &Reload) -> Vec<String> {
    reload.changes.iter().map(ToString::to_string).collect()
}

fn plan(running: &str, written: &str) -> Reload {
    let [running, written] = [running, written].map(|text| load_text(text, &[]).unwrap());
    plan_reload(&running, written).unwrap()
}

#[test]
fn each_key_is_told_by_its_name_and_whether_it_needs_a_restart() {
    let running = load_text(DOCUMENTED, &[]).unwrap();
    let needs_restart = [
        "STORE__URL",
        "STORE__IDENTITY",
        "SECRETS__KEY_FILE",
        "VOLUMES__DIRECTORY",
        "API__LISTEN",
        "API__GROUP",
        "API__TLS__",
        "LOG__FORMAT",
        "ENGINE__DOCKER__",
    ];
    for (index, (variable, _)) in OTHER.iter().enumerate() {
        let Some(written) = with(&[index]) else { continue };
        let reload = plan_reload(&running, written.clone()).unwrap();
        assert!(!reload.changes.is_empty(), "{variable}");
        let waits = reload
            .changes
            .iter()
            .any(|change| change.effect == Effect::NeedsRestart);
        let expected = needs_restart.iter().any(|prefix| variable.starts_with(prefix));
        assert_eq!(waits, expected, "{variable}: {:?}", reload.changes);
        if expected {
            assert_eq!(reload.settings, running, "{variable}");
        } else {
            assert_eq!(reload.settings, written, "{variable}");
        }
    }
}

#[test]
fn a_change_of_a_container_a_file_or_the_resolver_is_one_of_its_key() {
    let template = |more: &str| format!("[template.a]\nimage = \"a\"\n{more}");
    for (more, key) in [
        ("[[template.a.container]]\nname = \"b\"\nimage = \"b\"", "container"),
        ("[[template.a.file]]\ntarget = \"/b\"\ntext = \"b\"", "file"),
        ("[[template.a.device]]\nsource = \"/dev/fuse\"", "device"),
        ("[[template.a.volume]]\nname = \"data\"\ntarget = \"/data\"", "volume"),
        ("[template.a.resolver]\nservers = [\"fd39::53\"]", "resolver"),
    ] {
        let reload = plan(&template(""), &template(more));
        assert_eq!(keys(&reload), [format!("template.a.{key}: changed")]);
    }
}

#[test]
fn links_and_templates_are_told_by_their_names_wherever_they_are_written() {
    let second = LINK.replace("br0", "br1").replace("fd39:", "fd40:");
    let template = "[template.a]\nimage = \"a\"\n";
    let reload = plan(
        &format!("{LINK}{template}"),
        &format!("{second}{LINK}valid_lifetime = \"3h\""),
    );
    assert_eq!(
        keys(&reload),
        [
            "link.br1: added",
            "link.br0.preferred_lifetime: changed",
            "link.br0.valid_lifetime: changed",
            // What is advertised follows them.
            "link.br0.advertisement: changed",
            "template.a: removed",
        ]
    );
    let reload = plan(
        &format!("{LINK}{second}"),
        &format!("{second}[template.b]\nimage = \"b\""),
    );
    assert_eq!(keys(&reload), ["link.br0: removed", "template.b: added"]);
    assert_eq!(plan(&format!("{LINK}{second}"), &format!("{second}{LINK}")).changes, []);
}

#[test]
fn what_stays_as_it_runs_must_suit_what_is_written() {
    let running = load_text(&format!("{LINK}[api]\nlisten = [\"[::1]:1\"]"), &[]).unwrap();
    let hooked = LINK.replace("pool = \"fd39::1:0/112\"", "source = \"dnsmasq\"");
    let written = load_text(&hooked, &[]).unwrap();
    assert_eq!(
        plan_reload(&running, written).unwrap_err().to_string(),
        "api.listen: names no unix socket in the running daemon, and dnsmasq's hook for br0 needs one; \
         restart the daemon to have it listen on \"unix:/run/orchestrator/api.sock\""
    );
}

proptest! {
    /// Reloads from any settings to any others.
    #[test]
    fn what_is_put_in_force_differs_from_what_is_written_only_where_it_is_said(
        one in prop::collection::vec(0..OTHER.len(), 0..6),
        other in prop::collection::vec(0..OTHER.len(), 0..6),
    ) {
        let (Some(running), Some(written)) = (with(&one), with(&other)) else {
            return Ok(());
        };
        let Ok(reload) = plan_reload(&running, written.clone()) else {
            return Ok(());
        };
        prop_assert_eq!(reload.changes.is_empty(), running == written);
        let unique: BTreeSet<_> = reload.changes.iter().map(|change| &change.key).collect();
        prop_assert_eq!(unique.len(), reload.changes.len());
        // Asked again, only what waits is left; and from the next start on, nothing.
        let waiting = reload.changes.iter().filter(|change| change.effect == Effect::NeedsRestart);
        let again = plan_reload(&reload.settings, written.clone()).unwrap();
        prop_assert_eq!(again.changes.iter().collect::<Vec<_>>(), waiting.collect::<Vec<_>>());
        prop_assert_eq!(again.settings, reload.settings);
        prop_assert!(plan_reload(&written, written.clone()).unwrap().changes.is_empty());
    }
}
