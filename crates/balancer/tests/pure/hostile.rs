//! What may not come into a file or a command.

use orchestrator_balancer::{Challenge, HostName, Layout, Material, PathPrefix, Pem, Pools, plan, write_files};
use proptest::prelude::*;

use crate::fixture::{endpoints, service};

#[test]
fn names_of_hosts_are_labels_with_dots() {
    let longest = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
    for good in [
        "web.example",
        "*.example",
        "a",
        "x-1.y",
        "xn--bcher-kva.example",
        &longest,
    ] {
        assert!(good.parse::<HostName>().is_ok(), "{good}");
    }
    let too_long = format!("a.{longest}");
    for bad in [
        "",
        ".",
        "a..b",
        "a.",
        ".a",
        "-a",
        "a-",
        "*",
        "*.",
        "*.*.a",
        "a.*.b",
        "A.example",
        "a b",
        "a\nb",
        "a\0",
        "a/b",
        "a:80",
        "a;b",
        "a#b",
        "a\"b",
        "a'b",
        "a\\b",
        "[::1]",
        "é.example",
        "a{b}",
        "a%b",
        "a$b",
        &too_long,
    ] {
        assert!(bad.parse::<HostName>().is_err(), "{bad:?}");
    }
}

#[test]
fn paths_are_parts_with_slashes() {
    for good in ["/", "/api", "/api/", "//api//v1", "/~x/a-b_c.d"] {
        assert!(good.parse::<PathPrefix>().is_ok(), "{good}");
    }
    for bad in [
        "",
        "api",
        "/a b",
        "/a\nb",
        "/..",
        "/a/../b",
        "/./a",
        "/a?b",
        "/a#b",
        "/a%20",
        "/a;b",
        "/a\"",
        "/é",
        &"/a".repeat(300),
    ] {
        assert!(bad.parse::<PathPrefix>().is_err(), "{bad:?}");
    }
}

#[test]
fn challenges_are_base64url() {
    assert!(Challenge::new("abc-_1", "abc-_1.Def").is_ok());
    for (token, answer) in [
        ("", "a"),
        ("a", ""),
        ("a b", "a"),
        ("a", "a\nb"),
        ("a/..", "a"),
        ("a.b", "a"),
        ("a", "%[env(x)]"),
    ] {
        assert!(Challenge::new(token, answer).is_err(), "{token:?} {answer:?}");
    }
}

#[test]
fn a_certificate_cannot_end_the_command_it_is_in() {
    let block = |label: &str, body: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
    let (chain, key) = (block("CERTIFICATE", "QUJD"), block("EC PRIVATE KEY", "QUJD"));
    let good = Pem::new(&format!("text before\n\n{chain}\nbetween\n\n{chain}"), &key).unwrap();
    assert!(!good.as_str().contains("\n\n") && !good.as_str().contains("between"));
    assert_eq!(
        format!("{good:?}"),
        format!("Pem({})", good.name()),
        "a key is never shown"
    );
    for (chain, key) in [
        (block("CERTIFICATE", "QUJD\n\nshutdown frontend plain"), key.clone()),
        (block("CERTIFICATE", "QUJD\nset server x/y state maint"), key.clone()),
        (block("CERTIFICATE", "-----BEGIN CERTIFICATE-----"), key.clone()),
        ("-----BEGIN CERTIFICATE-----\nQUJD\n".to_owned(), key.clone()),
        (chain.clone(), String::new()),
        (chain.clone(), key.repeat(2)),
        (key.clone(), key.clone()),
        (String::new(), key.clone()),
        (chain.repeat(2000), key.clone()),
    ] {
        assert!(Pem::new(&chain, &key).is_err(), "{chain} {key}");
    }
}

#[test]
fn directories_are_plain_paths() {
    for bad in ["", "run", "/a b", "/a\nb", "/a\"b", "/a%[env(HOME)]"] {
        assert!(Layout::new(bad).is_err(), "{bad:?}");
    }
}

proptest! {
    /// Whatever a service calls its routes, the files have the lines that they have without it, or one more in a map.
    #[test]
    fn no_route_adds_a_line_of_its_own(host in ".{0,40}", path in "/?.{0,40}") {
        let layout = Layout::new("/x").unwrap();
        let files = |endpoints: &_| write_files(&layout, &plan(endpoints, &Material::default(), Pools::new(1)).desired);
        let without = files(&endpoints(&[("web", service(&[], &[]))]));
        let with = files(&endpoints(&[("web", service(&[(&host, &path)], &[]))]));
        prop_assert_eq!(&without.contents()["haproxy.cfg"], &with.contents()["haproxy.cfg"]);
        let lines = String::from_utf8(with.contents()["plain.map"].clone()).unwrap();
        prop_assert!(lines.lines().count() <= 1 && lines.split(' ').count() <= 2, "{}", lines);
    }
}
