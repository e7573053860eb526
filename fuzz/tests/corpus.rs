//! Each target against its corpus: what a fuzzer found once is not found again.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use orchestrator_fuzz::{TARGETS, Target};

fn corpus(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

fn run(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let inputs = fs::read_dir(corpus(target)).unwrap().map(|entry| entry.unwrap().path());
    for path in inputs {
        println!("{}", path.display());
        (target.run)(&fs::read(&path).unwrap());
    }
}

#[test]
fn frame() {
    run("frame");
}

#[test]
fn relay() {
    run("relay");
}

#[test]
fn server() {
    run("server");
}

#[test]
fn advert() {
    run("advert");
}

#[test]
fn client() {
    run("client");
}

#[test]
fn names() {
    run("names");
}

#[test]
fn corpora_are_what_the_seeds_make_and_what_was_found() {
    for target in TARGETS {
        let mut there: BTreeSet<String> = fs::read_dir(corpus(target))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with("regression-"))
            .collect();
        for (name, input) in (target.seeds)() {
            assert_eq!(
                fs::read(corpus(target).join(name)).unwrap(),
                input,
                "{} {name}",
                target.name
            );
            assert!(there.remove(name));
        }
        assert!(there.is_empty(), "{}: nothing makes {there:?}", target.name);
    }
}
