//! The boundaries between the crates, as `ARCHITECTURE.md` draws them: data flows one way, and a crate knows only what is
//! upstream of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Each crate of the daemon, and those of ours that it may depend on.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("dhcp6", &[]),
    ("network", &[]),
    ("model", &["dhcp6", "plugin"]),
    ("runtime", &["model"]),
    ("api-types", &["model"]),
    ("client", &["dhcp6", "network", "model", "runtime"]),
    ("settings", &["dhcp6", "model", "plugin", "plugins", "runtime"]),
    ("store", &["dhcp6", "model", "runtime"]),
    ("catalog", &["model", "runtime", "settings", "store"]),
    ("secrets", &["model", "runtime", "store"]),
    (
        "source",
        &["api-types", "dhcp6", "model", "network", "runtime", "settings", "store"],
    ),
    ("host", &["network", "plugin", "runtime"]),
    (
        "reconcile",
        &["catalog", "host", "model", "network", "runtime", "settings", "store"],
    ),
    (
        "api",
        &[
            "api-types",
            "catalog",
            "dhcp6",
            "model",
            "runtime",
            "settings",
            "source",
            "store",
        ],
    ),
    (
        "cli",
        &[
            "api",
            "api-types",
            "catalog",
            "client",
            "dhcp6",
            "model",
            "network",
            "plugin",
            "reconcile",
            "runtime",
            "secrets",
            "settings",
            "source",
            "store",
        ],
    ),
];

/// What only some crates may touch, and which those are.
const KEPT_TO: &[(&str, &[&str])] = &[
    (
        "orchestrator_network",
        &["client", "host", "reconcile", "source", "cli", "orchestrator"],
    ),
    ("orchestrator_plugin_docker", &[]),
    ("orchestrator_plugins", &["settings"]),
    ("bollard", &[]),
    ("rtnetlink", &["network"]),
    ("sqlx", &["store"]),
    ("ring", &["secrets"]),
    ("rcgen", &["secrets"]),
    ("axum", &["api"]),
];

/// All code of each crate of the daemon, without its comments. The program itself goes by its own name.
fn crates() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(root.join("crates")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut code = String::new();
        read(&path.join("src"), &mut code);
        all.insert(name, code);
    }
    let mut code = String::new();
    read(&root.join("src"), &mut code);
    all.insert("orchestrator".to_owned(), code);
    all
}

fn read(path: &Path, code: &mut String) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            read(&entry.unwrap().path(), code);
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        let text = fs::read_to_string(path).unwrap();
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            code.push_str(line);
            code.push('\n');
        }
    }
}

/// The crates of ours that a crate depends on, without those that only its tests need.
fn dependencies(name: &str) -> BTreeSet<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("crates")
        .join(name)
        .join("Cargo.toml");
    let text = fs::read_to_string(&manifest).unwrap();
    let sections = text.split("\n[").filter(|section| section.starts_with("dependencies]"));
    let lines = sections.flat_map(str::lines);
    let named = lines.filter_map(|line| line.strip_prefix("orchestrator-")?.split(['.', ' ', '=']).next());
    named.map(str::to_owned).collect()
}

#[test]
fn no_crate_depends_on_what_is_downstream_of_it() {
    let known: BTreeSet<&str> = MAY_DEPEND_ON.iter().map(|(name, _)| *name).collect();
    let all = crates();
    let there: BTreeSet<&str> = all
        .keys()
        .map(String::as_str)
        .filter(|name| *name != "orchestrator")
        .collect();
    assert_eq!(there, known, "every crate has its place in the order");
    let mut found = 0;
    for (name, allowed) in MAY_DEPEND_ON {
        for dependency in dependencies(name) {
            found += 1;
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name} depends on {dependency}, which is not upstream of it"
            );
        }
    }
    assert!(found > 30, "only {found} dependencies were looked at");
}

#[test]
fn engines_networks_and_databases_are_touched_in_one_place_each() {
    let all = crates();
    for (library, keepers) in KEPT_TO {
        for (name, code) in all.iter().filter(|(name, _)| !keepers.contains(&name.as_str())) {
            let named = code
                .match_indices(&format!("{library}::"))
                .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'));
            assert!(!named, "{name} touches {library}, which is kept to {keepers:?}");
        }
    }
}

#[test]
fn the_daemon_runs_no_commands() {
    for (name, code) in crates() {
        assert!(
            !code.contains("process::Command") && !code.contains("Command::new"),
            "{name} runs a command"
        );
    }
}

#[test]
fn the_protocol_does_no_io_and_reads_no_clock() {
    let mut code = String::new();
    read(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/dhcp6/src"),
        &mut code,
    );
    for forbidden in [
        "tokio",
        "std::io",
        "std::fs",
        "UdpSocket",
        "SystemTime::now",
        "Instant::now",
    ] {
        assert!(!code.contains(forbidden), "the protocol names {forbidden}");
    }
}

/// The text of each macro that logs for operators, without what is in quotes.
fn log_lines(code: &str) -> Vec<String> {
    let starts = ["info", "warn", "error"].map(|level| format!("tracing::{level}!("));
    let places = starts
        .iter()
        .flat_map(|start| code.match_indices(start).map(|(at, found)| at + found.len()));
    places.map(|at| until_closed(&code[at..])).collect()
}

fn until_closed(code: &str) -> String {
    let (mut depth, mut quoted, mut text) = (1, false, String::new());
    let mut characters = code.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' if quoted => drop(characters.next()),
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if !quoted {
            text.push(c);
        }
    }
    text
}

/// `?value` in a log line is the value as Rust's programmers see it: `Via { next_hop: … }`.
#[test]
fn no_line_for_operators_shows_a_value_as_programmers_see_it() {
    let mut all = crates();
    for library in ["plugins/api", "plugins/docker", "plugins/fake", "plugins/registry"] {
        let mut code = String::new();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(library).join("src");
        read(&path, &mut code);
        all.insert(library.to_owned(), code);
    }
    let mut lines = 0;
    for (name, code) in all {
        for line in log_lines(&code) {
            lines += 1;
            let shown = line.match_indices('?').any(|(at, _)| {
                let before = line[..at].trim_end().chars().next_back();
                before.is_none_or(|c| "(,=".contains(c))
            });
            assert!(!shown, "{name} logs a value by its Debug form: {line}");
        }
    }
    assert!(lines > 50, "only {lines} lines were looked at");
}

/// Crates that may ask for the wall clock: who makes the daemon's clock, who runs beside the daemon, and who only shows
/// since when something is as it is. What the daemon decides and records it times by its own clock.
const WALL_CLOCK: &[&str] = &["model", "cli", "client", "runtime"];

#[test]
fn the_daemon_goes_by_one_clock() {
    for (name, code) in crates() {
        let reads = code.contains("Timestamp::wall");
        assert!(
            !reads || WALL_CLOCK.contains(&name.as_str()),
            "{name} reads the wall clock; the daemon's is `Clock`"
        );
    }
}
