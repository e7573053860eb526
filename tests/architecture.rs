//! The boundaries between the crates, as `ARCHITECTURE.md` draws them: data flows one way, and a crate knows only what is
//! upstream of it. Crates hold most of this; what the compiler does not see is held here: the order of the crates, rooms
//! inside of them, what does no I/O, and what only one place touches.

#[path = "architecture/far_side.rs"]
mod far_side;
#[path = "architecture/pure.rs"]
mod pure;
#[path = "architecture/rooms.rs"]
mod rooms;
#[path = "architecture/tiers.rs"]
mod tiers;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Each crate of the daemon, and those of ours that it may depend on.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("dhcp6", &[]),
    ("network", &[]),
    ("images", &[]),
    ("quota", &[]),
    ("ahead", &[]),
    ("doctor", &["api-types", "network", "plugin", "runtime"]),
    ("model", &["dhcp6", "plugin"]),
    ("runtime", &["model"]),
    ("api-types", &["model"]),
    ("client", &["dhcp6", "network", "model", "runtime"]),
    ("settings", &["dhcp6", "model", "plugin", "plugins", "runtime"]),
    ("service", &["model", "settings"]),
    ("store", &["dhcp6", "model", "runtime"]),
    (
        "catalog",
        &["doctor", "model", "runtime", "service", "settings", "store"],
    ),
    ("secrets", &["model", "runtime", "store"]),
    ("acme", &["model", "runtime", "secrets"]),
    (
        "source",
        &["api-types", "dhcp6", "model", "network", "runtime", "settings", "store"],
    ),
    ("host", &["ahead", "doctor", "network", "plugin", "quota", "runtime"]),
    ("policy", &["host", "model", "settings"]),
    ("balancer", &["model", "runtime"]),
    (
        "reconcile",
        &[
            "catalog", "host", "model", "policy", "runtime", "service", "settings", "store",
        ],
    ),
    (
        "api",
        &[
            "api-types",
            "catalog",
            "dhcp6",
            "model",
            "runtime",
            "secrets",
            "service",
            "settings",
            "source",
            "store",
            "verbs",
        ],
    ),
    ("verbs", &["api-types", "model", "runtime", "service", "settings"]),
    ("portal", &["model", "runtime"]),
    ("dns", &["dhcp6", "model", "runtime"]),
    (
        "cli",
        &[
            "api-types",
            "catalog",
            "client",
            "conformance",
            "dhcp6",
            "doctor",
            "host",
            "model",
            "network",
            "plugin",
            "plugin-exec",
            "quota",
            "runtime",
            "secrets",
            "service",
            "settings",
            "source",
            "store",
            "verbs",
        ],
    ),
];

/// What only some crates may touch, and which those are.
const KEPT_TO: &[(&str, &[&str])] = &[
    (
        "orchestrator_network",
        &["client", "doctor", "host", "source", "cli", "orchestrator"],
    ),
    ("orchestrator_plugin_docker", &[]),
    ("orchestrator_plugin_oci", &[]),
    ("orchestrator_plugin_exec", &["cli"]),
    ("orchestrator_conformance", &["cli"]),
    ("orchestrator_plugins", &["settings"]),
    ("bollard", &[]),
    ("rtnetlink", &["network"]),
    ("sqlx", &["store"]),
    ("ring", &["secrets"]),
    ("rcgen", &["secrets"]),
    ("axum", &["api"]),
    ("instant_acme", &["acme"]),
    ("dhcproto", &["dhcp6"]),
    ("hickory_proto", &["dns"]),
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

/// The crates of ours that a manifest depends on, without those that only its tests need.
fn dependencies(manifest: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for section in manifest.split("\n[") {
        let (head, lines) = section.split_once(']').unwrap_or((section, ""));
        // `[dependencies]`, those for one target or for a build script, and `[dependencies.NAME]`.
        let (kind, named) = match head.split_once("dependencies.") {
            Some((kind, name)) => (kind, Some(name)),
            None => (head, None),
        };
        if kind.ends_with("dev-") || kind.ends_with("dev-dependencies") || !head.contains("dependencies") {
            continue;
        }
        let keys = lines.lines().chain(named);
        // Also one that goes by another name here: `store = { package = "orchestrator-store" }`.
        let ours = keys.filter_map(|line| {
            let at = match line.starts_with("orchestrator-") {
                true => 0,
                false => line.find("package = \"orchestrator-")? + "package = \"".len(),
            };
            line[at..].strip_prefix("orchestrator-")
        });
        found.extend(ours.filter_map(|name| Some(name.split(['.', ' ', '=', '"']).next()?.to_owned())));
    }
    found
}

/// The manifest of a crate in a folder of the repository.
fn manifest(folder: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join("Cargo.toml");
    fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{path:?}: {fault}"))
}

/// All code in a folder or a file of the repository, without its comments.
fn code_of(place: &str) -> String {
    let mut code = String::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
    if path.exists() {
        read(&path, &mut code);
    }
    code
}

#[test]
fn dependencies_are_found_however_they_are_written() {
    let manifest = "[package]\nname = \"orchestrator-x\"\n[dependencies]\norchestrator-a.workspace = true\n\
                    b = { package = \"orchestrator-b\", path = \"b\" }\nserde.workspace = true\n\
                    [dependencies.orchestrator-c]\npath = \"c\"\n[target.'cfg(unix)'.dependencies]\n\
                    orchestrator-d = { path = \"d\" }\n[build-dependencies]\norchestrator-e.workspace = true\n\
                    [dev-dependencies]\norchestrator-lab.workspace = true\n[dev-dependencies.orchestrator-f]\npath = \"f\"\n";
    let expected = ["a", "b", "c", "d", "e"].map(str::to_owned);
    assert_eq!(dependencies(manifest), BTreeSet::from(expected));
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
        for dependency in dependencies(&manifest(&format!("crates/{name}"))) {
            found += 1;
            assert!(
                allowed.contains(&dependency.as_str()),
                "{name} depends on {dependency}, which is not upstream of it"
            );
        }
    }
    assert!(found > 30, "only {found} dependencies were looked at");
}

/// Engines know the trait that they implement, and nothing else of ours; the registry knows them all.
#[test]
fn an_engine_depends_on_its_trait_alone() {
    let mut engines = BTreeSet::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let found = dependencies(&manifest(&format!("plugins/{name}")));
        match name.as_str() {
            "api" => assert_eq!(found, BTreeSet::new(), "the trait knows nothing of ours"),
            "registry" => assert!(
                found.iter().all(|name| name.starts_with("plugin")),
                "the registry depends on {found:?}"
            ),
            _ => {
                assert_eq!(found, BTreeSet::from(["plugin".to_owned()]), "{name}");
                engines.insert(name);
            }
        }
    }
    assert!(engines.contains("docker"), "{engines:?}");
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

/// What a bridge, an attachment or a route is to be is brought about through a host. A daemon that serves links only opens
/// sockets by the network.
#[test]
fn the_daemon_changes_networks_through_a_host_alone() {
    const CHANGES: &[&str] = &[
        "ensure_bridge(&plan",
        "observe_bridge",
        "repair_bridge",
        "remove_bridge",
        "find_bridge",
        "made_bridges",
        "ensure_attachment",
        "remove_attachment",
        "ensure_route",
        "remove_route",
        "list_routes",
        "watch_routes",
        "watch_interfaces",
        ".announce(",
    ];
    let code = &crates()["orchestrator"];
    for change in CHANGES {
        assert!(!code.contains(change), "the daemon calls {change} instead of its host");
    }
}

#[test]
fn the_daemon_runs_no_commands() {
    // The constant rules of the packet filter are text for `nft`, which reads them from its standard input.
    let mut loads_rules = String::new();
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/network/src/filter/load.rs");
    read(&place, &mut loads_rules);
    assert_eq!(loads_rules.matches("Command::new").count(), 1);
    assert!(loads_rules.contains(r#".args(["-f", "-"])"#));
    // `orchestrator plugin test` runs the operator's own programs, and is no part of the daemon.
    let mut tests_plugins = String::new();
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/cli/src/plugin/publish.rs");
    read(&place, &mut tests_plugins);
    assert_eq!(tests_plugins.matches("Command::new").count(), 1);
    for (name, code) in crates() {
        let code = code.replace(&loads_rules, "").replace(&tests_plugins, "");
        assert!(
            !code.contains("process::Command") && !code.contains("Command::new"),
            "{name} runs a command"
        );
    }
}

/// A line may come from elsewhere: what it can run reads nothing of the machine.
#[test]
fn the_verbs_of_a_line_touch_no_machine() {
    let code = &crates()["verbs"];
    for forbidden in [
        "std::fs",
        "std::env",
        "std::net::Tcp",
        "std::net::Udp",
        "std::os",
        "std::process",
        "io::stdout",
        "io::stderr",
        "io::stdin",
        "println!",
        "print!(",
        "tokio::fs",
        "tokio::net",
        "tokio::process",
        "nix::",
        "runtime::files",
        "env =",
        "SystemTime::now",
    ] {
        assert!(!code.contains(forbidden), "the verbs of a line name {forbidden}");
    }
}

/// The types of the API are apart from the model: of it they name only values that are one text or number.
#[test]
fn the_types_of_the_api_are_not_the_model_s() {
    const VALUES: &[&str] = &[
        "AttachmentId",
        "ClientId",
        "Duid",
        "Iaid",
        "Id",
        "InstanceId",
        "LinkLayerAddress",
        "MacAddress",
        "OpaqueId",
        "ReservationId",
        "Timestamp",
        "VolumeId",
    ];
    let code = &crates()["api-types"];
    let mut found = 0;
    for uses in code.split("use orchestrator_model::").skip(1) {
        let names = uses.split(';').next().unwrap_or_default();
        for name in names.split(['{', '}', ',', '\n', ' ']).filter(|name| !name.is_empty()) {
            found += 1;
            assert!(VALUES.contains(&name), "the API's types name {name} of the model");
        }
    }
    assert!(found > 15, "only {found} names were looked at");
    assert_eq!(
        code.matches("orchestrator_model::").count(),
        code.matches("use orchestrator_model::").count()
    );
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
    for library in [
        "plugins/api",
        "plugins/docker",
        "plugins/exec",
        "plugins/fake",
        "plugins/registry",
    ] {
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
/// since when something is as it is; and `secrets`, which compares the time of a signed request with that of the machine that
/// signed it. What the daemon decides and records it times by its own clock.
const WALL_CLOCK: &[&str] = &["model", "cli", "client", "runtime", "secrets"];

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
