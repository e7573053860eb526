//! Images are held, removed and collected, and a store outlives a crash.

use std::fs;

use orchestrator_images::{ImageError, Limits, Store};

use crate::support::{Place, Tar, docker};

fn layer(name: &str) -> Vec<u8> {
    Tar::default().file(name, "content").finish()
}

#[test]
fn an_image_that_is_held_is_kept_also_after_a_restart() {
    let place = Place::new();
    let store = place.store();
    store.load(&docker(&["web:1"], &[layer("a")])[..]).unwrap();
    let held = store.hold("web:1", "container-1").unwrap();
    assert_eq!(held, store.hold("web:1", "container-1").unwrap());
    for reference in ["web:1", &held.digest.to_string()] {
        let fault = store.remove(reference).unwrap_err();
        assert!(
            matches!(&fault, ImageError::InUse { holder, .. } if holder == "container-1"),
            "{fault}"
        );
    }
    drop(store);
    let store = place.store();
    assert_eq!(store.images()[0].holders, ["container-1"]);
    assert_eq!(store.resolve("web:1").unwrap(), held);
    store.remove("web:1").unwrap_err();
    store.release("container-1").unwrap();
    store.release("container-1").unwrap();
    let collected = store.remove("web:1").unwrap();
    assert_eq!((collected.layers, collected.bytes), (1, 7));
    assert_eq!(store.remove("web:1").unwrap().layers, 0);
    assert!(matches!(store.resolve("web:1"), Err(ImageError::Missing { .. })));
    for directory in ["work", "layers", "images", "holds"] {
        assert!(place.names(directory).is_empty(), "{directory}");
    }
}

#[test]
fn a_layer_goes_with_the_last_image_that_has_it() {
    let place = Place::new();
    let store = place.store();
    store.load(&docker(&["web:1"], &[layer("a"), layer("b")])[..]).unwrap();
    store.load(&docker(&["web:2", "web:3"], &[layer("a")])[..]).unwrap();
    assert_eq!(store.remove("web:3").unwrap().layers, 0, "it has another name");
    assert_eq!(store.remove("web:1").unwrap().layers, 1);
    assert!(store.resolve("web:2").unwrap().layers[0].join("a").exists());
    let digest = store.resolve("web:2").unwrap().digest;
    assert_eq!(store.remove(&digest.to_string()).unwrap().layers, 1);
}

#[test]
fn a_holder_s_name_is_no_path() {
    let place = Place::new();
    let store = place.store();
    store.load(&docker(&["web:1"], &[layer("a")])[..]).unwrap();
    for holder in ["", ".", "..", "a/b", "../../escaped", "a\0b", &"x".repeat(201)] {
        store.hold("web:1", holder).unwrap_err();
        store.release(holder).unwrap_err();
    }
}

#[test]
fn one_process_has_a_store_open() {
    let place = Place::new();
    let store = place.store();
    let again = Store::open(&place.path().join("store"), Limits::default());
    assert!(matches!(again, Err(ImageError::Locked { .. })));
    drop(store);
    place.store();
}

/// What a process leaves that is killed: at each point between two steps.
#[test]
fn what_a_crash_left_half_done_is_cleared_away() {
    let place = Place::new();
    let store = place.store();
    let archive = docker(&["web:1"], &[layer("a")]);
    let digest = store.load(&archive[..]).unwrap()[0].digest;
    drop(store);
    let root = place.path().join("store");
    // A layer that is being unpacked, one that no image has yet, a configuration that is not listed, a hold of nothing.
    fs::create_dir_all(root.join("work/7/fs")).unwrap();
    fs::write(root.join("work/8"), "half of an index").unwrap();
    fs::create_dir_all(root.join("layers").join("0".repeat(64)).join("fs")).unwrap();
    fs::write(root.join("images").join("1".repeat(64)), "{}").unwrap();
    std::os::unix::fs::symlink(format!("sha256:{}", "2".repeat(64)), root.join("holds/gone")).unwrap();
    let store = place.store();
    assert_eq!(store.images()[0].digest, digest);
    assert_eq!(place.names("layers").len(), 1);
    assert_eq!(place.names("images"), [digest.hex()]);
    assert!(place.names("work").is_empty() && place.names("holds").is_empty());
}

#[test]
fn an_image_of_which_a_part_is_missing_or_was_changed_is_not_offered() {
    let place = Place::new();
    let archives = [docker(&["web:1"], &[layer("a")]), docker(&["web:2"], &[layer("b")])];
    let store = place.store();
    let digests = archives
        .each_ref()
        .map(|archive| store.load(&archive[..]).unwrap()[0].digest);
    let gone = store.resolve("web:1").unwrap().layers[0].clone();
    drop(store);
    fs::remove_dir_all(gone).unwrap();
    fs::write(place.path().join("store/images").join(digests[1].hex()), "{}").unwrap();
    let store = place.store();
    assert!(store.images().is_empty());
    // They can be loaded again.
    for archive in &archives {
        store.load(&archive[..]).unwrap();
    }
    assert!(store.resolve("web:1").unwrap().layers[0].join("a").exists());
}

#[test]
fn a_list_that_cannot_be_read_is_a_fault_and_nothing_is_removed() {
    let place = Place::new();
    let store = place.store();
    store.load(&docker(&["web:1"], &[layer("a")])[..]).unwrap();
    drop(store);
    fs::write(place.path().join("store/index.json"), r#"{"version":9,"images":{}}"#).unwrap();
    let fault = Store::open(&place.path().join("store"), Limits::default()).unwrap_err();
    assert!(matches!(fault, ImageError::Store { .. }), "{fault}");
    assert_eq!(place.names("layers").len(), 1);
}

#[test]
fn loads_at_the_same_time_make_one_image() {
    let place = Place::new();
    let store = place.store();
    let archive = docker(&["web:1"], &[layer("a"), layer("b")]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| store.load(&archive[..]).unwrap());
        }
    });
    assert_eq!(store.images().len(), 1);
    assert_eq!(place.names("layers").len(), 2);
    assert!(place.names("work").is_empty());
    assert_eq!(store.collect().unwrap().layers, 0);
}
