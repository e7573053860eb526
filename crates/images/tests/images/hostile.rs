//! Archives of somebody who wants to write outside of the layer, or to fill the machine. Each fails safely: the image is
//! refused with a reason, and nothing is left.

use std::fs;

use orchestrator_images::{ImageError, Limits};
use tar::{EntryType, Header};

use crate::support::{Place, Tar, docker, gzip};

/// Loads an image of this one layer, which must be refused. Returns the reason. Checks that the directory around the
/// store has nothing that was not there before.
#[track_caller]
fn refused(place: &Place, limits: Limits, layer: Vec<u8>) -> String {
    let canary = place.path().join("canary");
    fs::write(&canary, "untouched").unwrap();
    let store = place.store_within(limits);
    let fault = store.load(&docker(&["web:1"], &[layer])[..]).unwrap_err();
    assert!(matches!(fault, ImageError::Refused { .. }), "{fault:?}");
    assert_clean(place);
    fault.to_string()
}

#[track_caller]
fn assert_clean(place: &Place) {
    let mut around: Vec<_> = fs::read_dir(place.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    around.sort();
    assert_eq!(around, ["canary", "store"]);
    assert_eq!(fs::read_to_string(place.path().join("canary")).unwrap(), "untouched");
    for directory in ["work", "layers", "images"] {
        assert!(place.names(directory).is_empty(), "{directory}");
    }
}

#[track_caller]
fn assert_refused(layer: Tar, reason: &str) {
    let place = Place::new();
    let shown = refused(&place, Limits::default(), layer.finish());
    assert!(shown.contains(reason), "{shown}");
}

/// Loads an image of this one layer, which is taken. What it says of paths outside has happened inside.
fn taken(place: &Place, layer: Tar) -> std::path::PathBuf {
    let store = place.store();
    store.load(&docker(&["web:1"], &[layer.finish()])[..]).unwrap();
    store.resolve("web:1").unwrap().layers[0].clone()
}

#[test]
fn a_name_that_leads_upwards() {
    for path in ["../escaped", "a/../../escaped", "/../escaped", "a/.."] {
        assert_refused(Tar::default().file(path, "x"), "leads out");
    }
    assert_refused(
        Tar::default().extended("path", b"../escaped").file("a", "x"),
        "leads out",
    );
    let long = Tar::default().entry(EntryType::GNULongName, "././@LongLink", "", b"../escaped\0");
    assert_refused(long.file("a", "x"), "leads out");
}

#[test]
fn a_name_from_the_root_of_the_host() {
    let place = Place::new();
    let outside = place.path().join("escaped").display().to_string();
    let root = taken(&place, Tar::default().file(&outside, "x"));
    assert!(!place.path().join("escaped").exists());
    assert!(root.join(outside.trim_start_matches('/')).exists());
}

#[test]
fn a_link_to_the_outside_and_an_entry_through_it() {
    let place = Place::new();
    let outside = place.path().display().to_string();
    let up = "../".repeat(20);
    // The kernel takes a link that leads out for one to the root of the layer.
    for to in [
        outside.clone(),
        format!("{up}{}", outside.trim_start_matches('/')),
        up.clone(),
    ] {
        let place = Place::new();
        let layer = Tar::default().symlink("out", &to);
        let inside = Tar::default()
            .directory(&outside[1..])
            .symlink("out", &to)
            .file("out/escaped", "x");
        let root = taken(&place, inside);
        let landed = [root.join(&outside[1..]).join("escaped"), root.join("escaped")];
        assert!(landed.iter().any(|path| path.exists()), "{to}");
        // Without such a directory inside, there is nowhere to put it.
        if to.starts_with('/') {
            assert_refused(layer.file("out/escaped", "x"), "no directory");
        }
    }
    assert!(!place.path().join("escaped").exists());
}

#[test]
fn a_link_in_a_circle() {
    let layer = Tar::default().symlink("a", "b").symlink("b", "a").file("a/x", "x");
    assert_refused(layer, "circle");
}

#[test]
fn a_link_that_is_written_through_as_a_file() {
    let place = Place::new();
    let canary = place.path().join("canary");
    fs::write(&canary, "untouched").unwrap();
    let to = canary.display().to_string();
    let root = taken(&place, Tar::default().symlink("a", &to).file("a", "overwritten"));
    assert_eq!(fs::read_to_string(&canary).unwrap(), "untouched");
    assert_eq!(fs::read_to_string(root.join("a")).unwrap(), "overwritten");
    assert!(fs::symlink_metadata(root.join("a")).unwrap().is_file());
}

#[test]
fn a_hard_link_to_the_outside() {
    let place = Place::new();
    let canary = place.path().join("canary").display().to_string();
    for to in [canary.as_str(), "/etc/passwd", "missing"] {
        assert_refused(Tar::default().link("a", to), "does not have");
    }
    assert_refused(Tar::default().link("a", "../../canary"), "leads out");
    let through = Tar::default().symlink("out", "/etc").link("a", "out/passwd");
    assert_refused(through, "does not have");
    assert_refused(Tar::default().directory("d/").link("a", "d"), "no file");
    assert_refused(Tar::default().link("a", "."), "root");
    assert_refused(Tar::default().file("a", "x").link("a", "a"), "itself");
    assert_refused(Tar::default().file("etc/.wh.gone", "").link("a", "etc/gone"), "no file");
}

#[test]
fn a_hard_link_to_a_link_is_the_link() {
    let place = Place::new();
    let layer = Tar::default().symlink("out", "/etc/passwd").link("a", "out");
    let root = taken(&place, layer);
    assert!(fs::symlink_metadata(root.join("a")).unwrap().is_symlink());
}

#[test]
fn a_name_that_is_taken_away_outside() {
    assert_refused(Tar::default().file("../.wh.escaped", ""), "leads out");
    for path in [".wh...", ".wh..", ".wh.", "a/.wh..."] {
        assert_refused(Tar::default().file(path, ""), "no name");
    }
    assert_refused(Tar::default().file(".wh.a/b", ""), "takes another one away");
}

#[test]
fn the_root_of_the_layer_as_something_else() {
    for kind in [EntryType::Regular, EntryType::Fifo] {
        assert_refused(Tar::default().entry(kind, ".", "", b""), "root of the layer");
    }
    assert_refused(Tar::default().symlink("./", "/"), "root of the layer");
}

#[test]
fn an_entry_below_a_file() {
    assert_refused(Tar::default().file("a", "x").file("a/b", "x"), "no directory");
}

#[test]
fn paths_that_are_too_deep_or_grow_through_links() {
    let deep = "d/".repeat(200);
    assert_refused(
        Tar::default().extended("path", deep.as_bytes()).directory("d/"),
        "too deep",
    );
    // Each link leads to the end of what the one before it made.
    let mut layer = Tar::default();
    let mut to = String::new();
    for step in 0..8 {
        let below = format!("{to}{}", "d/".repeat(40));
        layer = layer.extended("path", below.as_bytes()).directory("d/");
        layer = layer
            .extended("linkpath", below.as_bytes())
            .symlink(&format!("link{step}"), "x");
        to = format!("link{step}/");
    }
    assert_refused(layer, "too deep");
}

#[test]
fn names_that_no_file_system_takes() {
    let long = "x".repeat(300);
    assert_refused(
        Tar::default().extended("path", long.as_bytes()).file("a", ""),
        "too long",
    );
    assert_refused(Tar::default().extended("path", b"a\0b").file("a", ""), "can be written");
    let path = "x/".repeat(2100);
    assert_refused(
        Tar::default().extended("path", path.as_bytes()).file("a", ""),
        "can be written",
    );
}

#[test]
fn headers_without_end() {
    let long = vec![b'x'; 3 << 20];
    assert_refused(
        Tar::default().extended("comment", &long).file("a", ""),
        "bytes of headers",
    );
    let mut many = Tar::default();
    for _ in 0..40 {
        many = many.extended("comment", &long[..100 << 10]);
    }
    assert_refused(many.file("a", ""), "bytes of headers");
    // A header that says that it has more than there is asks for no memory.
    let mut lie = Header::new_ustar();
    lie.set_entry_type(EntryType::XHeader);
    lie.set_size(7 << 30);
    lie.set_cksum();
    let mut layer = Tar::default();
    layer.push(&lie, b"");
    assert_refused(layer, "bytes of headers");
}

#[test]
fn files_with_holes() {
    let mut header = Header::new_gnu();
    header.set_path("hole").unwrap();
    header.set_entry_type(EntryType::GNUSparse);
    header.set_size(0);
    header.as_gnu_mut().unwrap().set_real_size(1 << 40);
    header.set_cksum();
    let mut layer = Tar::default();
    layer.push(&header, b"");
    assert_refused(layer, "holes");
    let pax = Tar::default().extended("GNU.sparse.realsize", b"1099511627776");
    assert_refused(pax.file("hole", ""), "holes");
}

#[test]
fn a_size_that_two_readers_read_in_two_ways() {
    assert_refused(Tar::default().extended("size", b"0").file("a", "hidden"), "two sizes");
}

#[test]
fn an_entry_of_a_kind_that_nobody_knows() {
    assert_refused(Tar::default().entry(EntryType::new(b'Z'), "a", "", b""), "of a kind");
}

#[test]
fn a_user_that_cannot_be() {
    for id in [&b"4294967295"[..], b"99999999999"] {
        assert_refused(Tar::default().extended("uid", id).file("a", ""), "user or group");
    }
}

#[test]
fn more_than_is_allowed() {
    let limits = Limits {
        layer_bytes: 1 << 20,
        entries: 10,
        archive_bytes: 8 << 20,
        ..Limits::default()
    };
    let many = (0..11).fold(Tar::default(), |tar, at| tar.file(&format!("file-{at}"), ""));
    let place = Place::new();
    assert!(refused(&place, limits.clone(), many.finish()).contains("more than 10 entries"));
    let large = Tar::default().entry(EntryType::Regular, "a", "", &vec![0; 2 << 20]);
    let place = Place::new();
    assert!(refused(&place, limits.clone(), gzip(&large.clone().finish())).contains("more than 1048576 bytes"));
    // Behind the end of the archive, too.
    let mut padded = Tar::default().file("a", "").finish();
    padded.resize(2 << 20, 0);
    let place = Place::new();
    assert!(refused(&place, limits.clone(), padded).contains("more than 1048576 bytes"));
    // A bomb in the archive of blobs.
    let place = Place::new();
    fs::write(place.path().join("canary"), "untouched").unwrap();
    let store = place.store_within(limits);
    let bomb = Tar::default()
        .entry(EntryType::Regular, "a", "", &vec![0; 9 << 20])
        .finish();
    let fault = store.load(&gzip(&bomb)[..]).unwrap_err();
    assert!(fault.to_string().contains("more than 8388608 bytes"), "{fault}");
    assert_clean(&place);
}

#[test]
fn documents_that_are_too_large_and_archives_of_too_many_blobs() {
    let limits = Limits {
        document_bytes: 1000,
        blobs: 20,
        ..Limits::default()
    };
    let place = Place::new();
    let store = place.store_within(limits);
    let large = Tar::default().file("manifest.json", &" ".repeat(2000)).finish();
    assert!(
        store
            .load(&large[..])
            .unwrap_err()
            .to_string()
            .contains("more than 1000 bytes")
    );
    let many = (0..30).fold(Tar::default(), |tar, at| tar.file(&format!("blob-{at}"), ""));
    let fault = store.load(&many.finish()[..]).unwrap_err().to_string();
    assert!(fault.contains("more than 20 entries"), "{fault}");
}

#[test]
fn names_of_an_archive_of_blobs_are_no_paths() {
    let place = Place::new();
    fs::write(place.path().join("canary"), "untouched").unwrap();
    let store = place.store();
    let outside = place.path().join("escaped").display().to_string();
    let archive = Tar::default().file(&outside, "x").file("manifest.json", "[]").finish();
    store.load(&archive[..]).unwrap_err();
    let archive = Tar::default()
        .file("../escaped", "x")
        .file("manifest.json", "[]")
        .finish();
    store.load(&archive[..]).unwrap_err();
    assert_clean(&place);
}
