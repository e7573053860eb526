//! What does no I/O: the protocol, plain types, plans and decisions.

use std::path::Path;

use crate::code_of;

/// Names of what reads or writes something outside of the process.
const IO: &[&str] = &[
    "tokio",
    "std::io",
    "std::fs",
    "std::process",
    "UdpSocket",
    "TcpStream",
    "UnixStream",
    "socket2",
    "nix::",
    "sqlx",
];
/// Names of what reads a clock.
const CLOCKS: &[&str] = &["SystemTime::now", "Instant::now", "Timestamp::wall"];
/// Names of what waits.
const WAITS: &[&str] = &["async fn", ".await"];

/// Folders and files, and what they do not name.
const PURE: &[(&str, &[&[&str]])] = &[
    ("crates/acme/src/chain.rs", &[IO, CLOCKS, WAITS]),
    ("crates/acme/src/life.rs", &[IO, CLOCKS, WAITS]),
    ("crates/acme/src/machine.rs", &[IO, CLOCKS, WAITS]),
    ("crates/balancer/src/config", &[IO, CLOCKS, WAITS]),
    ("crates/balancer/src/difference.rs", &[IO, CLOCKS, WAITS]),
    ("crates/balancer/src/name", &[IO, CLOCKS, WAITS]),
    ("crates/balancer/src/plan.rs", &[IO, CLOCKS, WAITS]),
    ("crates/balancer/src/pools.rs", &[IO, CLOCKS, WAITS]),
    ("crates/dhcp6/src", &[IO, CLOCKS, WAITS]),
    ("crates/model/src", &[IO, WAITS]),
    ("crates/api-types/src", &[IO, CLOCKS, WAITS]),
    ("crates/dns/src/names", &[IO, CLOCKS, WAITS]),
    ("crates/dns/src/answer", &[IO, CLOCKS, WAITS]),
    ("crates/doctor/src/facts", &[IO, CLOCKS, WAITS]),
    ("crates/doctor/src/rules", &[IO, CLOCKS, WAITS]),
    ("crates/host/src/plan", &[IO, CLOCKS, WAITS]),
    ("crates/reconcile/src/instance/machine.rs", &[IO, CLOCKS, WAITS]),
    ("crates/service/src", &[IO, CLOCKS, WAITS]),
    ("crates/store/src/rules.rs", &[IO, CLOCKS, WAITS]),
];

#[test]
fn what_is_pure_does_no_io() {
    for (place, forbidden) in PURE {
        let code = code_of(place);
        assert!(!code.is_empty(), "there is no {place} any more: say where it went");
        for name in forbidden.iter().copied().flatten() {
            assert!(!code.contains(name), "{place} names {name}");
        }
    }
}

#[test]
fn the_wall_clock_is_read_in_one_file_of_the_model() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/model/src");
    let mut readers = Vec::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if code_of(&format!("crates/model/src/{name}")).contains("SystemTime::now") {
            readers.push(name);
        }
    }
    assert_eq!(readers, ["timestamp.rs"]);
}
