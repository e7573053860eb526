//! The boundaries inside the daemon, as `ARCHITECTURE.md` draws them: data flows one way, and a module knows only what
//! is upstream of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Each module, and the modules it may import.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("causes", &[]),
    ("files", &[]),
    ("model", &[]),
    ("log_limit", &[]),
    ("contention", &[]),
    ("metrics", &["log_limit", "model"]),
    ("bell", &["model"]),
    ("conditions", &["model"]),
    ("client", &["files", "model"]),
    ("settings", &["files", "model"]),
    ("store", &["causes", "files", "model"]),
    ("advertiser", &["metrics", "settings"]),
    (
        "source",
        &[
            "bell",
            "causes",
            "files",
            "log_limit",
            "metrics",
            "model",
            "settings",
            "store",
        ],
    ),
    (
        "orchestrator",
        &["bell", "causes", "conditions", "metrics", "model", "settings", "store"],
    ),
    (
        "routes",
        &[
            "bell",
            "causes",
            "conditions",
            "contention",
            "metrics",
            "model",
            "settings",
            "store",
        ],
    ),
    (
        "api",
        &[
            "causes",
            "conditions",
            "metrics",
            "model",
            "settings",
            "source",
            "store",
        ],
    ),
    (
        "serve",
        &[
            "advertiser",
            "api",
            "bell",
            "causes",
            "conditions",
            "contention",
            "log_limit",
            "metrics",
            "model",
            "orchestrator",
            "routes",
            "settings",
            "source",
            "store",
        ],
    ),
    (
        "cli",
        &[
            "api", "causes", "client", "files", "model", "routes", "serve", "settings", "source", "store",
        ],
    ),
];

/// What only some modules may touch, and which those are.
const KEPT_TO: &[(&str, &[&str])] = &[
    (
        "orchestrator_network",
        &[
            "advertiser",
            "client",
            "orchestrator",
            "routes",
            "serve",
            "source",
            "cli",
        ],
    ),
    ("orchestrator_plugin_docker", &["settings", "serve", "cli"]),
    ("bollard", &[]),
    ("rtnetlink", &[]),
    ("sqlx", &["store"]),
    ("axum", &["api"]),
];

/// All code of each module, without its comments.
fn modules() -> BTreeMap<String, String> {
    let mut modules = BTreeMap::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if name != "lib" && name != "main" {
            let mut code = String::new();
            read(&path, &mut code);
            modules.insert(name, code);
        }
    }
    modules
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

/// The words that follow `crate::` in code, also within braces: `use crate::{a, b::c}`.
fn imports(code: &str) -> BTreeSet<&str> {
    let word = |text: &'static str| move |c: char| !(c.is_ascii_alphanumeric() || c == '_') || text.contains(c);
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = 0;
            for (at, c) in list.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => {
                        found.insert(list[start..at].trim());
                        break;
                    }
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        found.insert(list[start..at].trim());
                        start = at + 1;
                    }
                    _ => {}
                }
            }
        } else {
            found.insert(rest);
        }
    }
    found
        .into_iter()
        .map(|text| text.split(word("")).next().unwrap_or_default())
        .collect()
}

#[test]
fn no_module_imports_what_is_downstream_of_it() {
    let modules = modules();
    let known: BTreeSet<&str> = MAY_IMPORT.iter().map(|(name, _)| *name).collect();
    let there: BTreeSet<&str> = modules.keys().map(String::as_str).collect();
    assert_eq!(there, known, "every module has its place in the order");
    for (name, allowed) in MAY_IMPORT {
        for import in imports(&modules[*name]) {
            let foreign = known.contains(import) && import != *name;
            assert!(
                !foreign || allowed.contains(&import),
                "{name} imports {import}, which is not upstream of it"
            );
        }
    }
}

#[test]
fn engines_networks_and_databases_are_touched_in_one_place_each() {
    let modules = modules();
    for (library, keepers) in KEPT_TO {
        for (name, code) in modules.iter().filter(|(name, _)| !keepers.contains(&name.as_str())) {
            let named = code
                .match_indices(&format!("{library}::"))
                .any(|(at, _)| !code[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_'));
            assert!(!named, "{name} touches {library}, which is kept to {keepers:?}");
        }
    }
}

#[test]
fn the_daemon_runs_no_commands() {
    for (name, code) in modules() {
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
    let mut all = modules();
    for library in ["crates/network", "crates/dhcp6", "plugins/api", "plugins/docker"] {
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

/// Modules that may ask for the wall clock: who makes the daemon's clock, who runs beside the daemon, and who only shows
/// since when something is as it is. What the daemon decides and records it times by its own clock.
const WALL_CLOCK: &[&str] = &["model", "cli", "client", "conditions"];

#[test]
fn the_daemon_goes_by_one_clock() {
    for (name, code) in modules() {
        let reads = code.contains("Timestamp::wall");
        assert!(
            !reads || WALL_CLOCK.contains(&name.as_str()),
            "{name} reads the wall clock; the daemon's is `Clock`"
        );
    }
}
