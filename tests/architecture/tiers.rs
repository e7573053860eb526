//! The tiers of the tests are one list, in two files: nextest's settings and the Makefile.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn text_of(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The filter of one of nextest's profiles, with single blanks.
fn filter_of(settings: &str, profile: &str) -> String {
    let section = settings.split(&format!("[profile.{profile}]\n")).nth(1).unwrap();
    let filter = section.split("'''").nth(1).unwrap();
    filter.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The words of a variable of the Makefile.
fn variable<'a>(makefile: &'a str, name: &str) -> BTreeSet<&'a str> {
    let start = format!("{name} := ");
    let line = makefile.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
    line.split(' ').collect()
}

/// The alternatives of a pattern that follows some text: `^(a|b)$`.
fn alternatives<'a>(filter: &'a str, before: &str) -> BTreeSet<&'a str> {
    let pattern = filter.split(before).nth(1).unwrap();
    pattern.split(')').next().unwrap().split('|').collect()
}

#[test]
fn every_test_is_in_the_lab_or_needs_no_root() {
    let settings = text_of(".config/nextest.toml");
    let lab = filter_of(&settings, "lab");
    assert_eq!(filter_of(&settings, "no-root"), format!("not ( {lab} )"));
    let makefile = text_of("Makefile");
    assert_eq!(
        alternatives(&lab, "package(orchestrator) & binary(/^("),
        variable(&makefile, "LAB_TESTS")
    );
    let packages = alternatives(&lab, "package(/^orchestrator-(");
    let packages: BTreeSet<String> = packages.iter().map(|name| format!("orchestrator-{name}")).collect();
    let expected = variable(&makefile, "LAB_PACKAGES");
    assert_eq!(packages, expected.iter().map(|name| (*name).to_owned()).collect());
    for package in variable(&makefile, "KERNEL_PACKAGES") {
        let crate_name = package.strip_prefix("orchestrator-").unwrap();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("crates")
            .join(crate_name)
            .join("tests");
        let has = folder.join("kernel.rs").exists() || folder.join("kernel/main.rs").exists();
        assert!(
            has && lab.contains("binary(=kernel)"),
            "{package} has no program `kernel`"
        );
    }
}

/// A program of tests that nobody listed would need root in `make quick`.
#[test]
fn every_program_of_tests_of_the_daemon_is_in_a_tier() {
    let makefile = text_of("Makefile");
    let mut known = variable(&makefile, "LAB_TESTS");
    known.extend(["api", "architecture", "hook", "init", "terminal", "store"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let is_program = path.extension().is_some_and(|extension| extension == "rs") || path.join("main.rs").exists();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(!is_program || known.contains(name), "the test {name} is in no tier");
    }
}
