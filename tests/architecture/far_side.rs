//! What tests are built on shares nothing with what it tests.

use std::fs;
use std::path::Path;

use crate::code_of;

/// The text of a file of the repository.
fn text_of(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_wire_format_of_the_tests_has_no_dependencies() {
    let manifest = text_of("tests/wire/Cargo.toml");
    assert!(!manifest.contains("\n[dependencies]"), "{manifest}");
}

#[test]
fn tests_against_the_running_daemon_do_not_use_its_codec() {
    for place in [
        "tests/conformance",
        "tests/client",
        "tests/system",
        "tests/load/src",
        "tests/lab/src",
    ] {
        let code = code_of(place);
        assert!(
            code.contains("orchestrator_wire"),
            "{place} reads messages by the codec of the tests"
        );
        for codec in ["orchestrator_dhcp6::", "dhcproto"] {
            assert!(!code.contains(codec), "{place} names {codec}");
        }
    }
}

#[test]
fn no_test_uses_a_library_of_the_protocol() {
    let places = [
        "fuzz/src",
        "benches",
        "tests/api",
        "tests/store",
        "crates/dhcp6/tests",
        "crates/dhcp6/benches",
    ];
    for place in places {
        let code = code_of(place);
        assert!(!code.is_empty(), "there is no {place} any more: say where it went");
        assert!(!code.contains("dhcproto"), "{place} names dhcproto");
    }
}
