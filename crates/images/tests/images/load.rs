//! Archives of either layout are loaded.

use std::fs;

use orchestrator_images::{Digest, ImageError, Limits};

use crate::support::{Place, Tar, config_of, docker, docker_with, gzip, oci};

fn layers() -> [Vec<u8>; 2] {
    [
        Tar::default().directory("etc/").file("etc/greeting", "hello").finish(),
        Tar::default().file("etc/other", "world").finish(),
    ]
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

#[test]
fn every_layout_and_compression_gives_the_same_image() {
    let layers = layers();
    let name = "docker.io/library/web:1";
    let archives = [
        docker(&["web:1"], &layers),
        gzip(&docker(&["web:1"], &layers)),
        oci(name, &layers, |layer| layer.to_owned()),
        oci(name, &layers, gzip),
        zstd(&oci(name, &layers, zstd)),
    ];
    for archive in archives {
        let place = Place::new();
        let store = place.store();
        let loaded = store.load(&archive[..]).unwrap();
        assert_eq!(loaded.len(), 1);
        let digest = loaded[0].digest;
        assert_eq!(loaded[0].names[0].as_str(), "web:1");
        assert_eq!(loaded[0].bytes, 10);
        assert_eq!(store.images(), loaded);
        let resolved = store.resolve("web:1").unwrap();
        assert_eq!(resolved.digest, digest);
        assert_eq!(resolved.config.command, ["run"]);
        assert_eq!(store.resolve(&digest.to_string()).unwrap(), resolved);
        assert_eq!(
            fs::read_to_string(resolved.layers[0].join("etc/greeting")).unwrap(),
            "hello"
        );
        assert_eq!(
            fs::read_to_string(resolved.layers[1].join("etc/other")).unwrap(),
            "world"
        );
        if let Some(manifest) = loaded[0].manifest {
            let by_manifest = format!("registry.example/web@{manifest}");
            assert_eq!(store.resolve(&by_manifest).unwrap(), resolved);
        }
        assert!(place.names("work").is_empty());
    }
}

#[test]
fn a_layer_that_is_there_is_not_unpacked_again() {
    let place = Place::new();
    let store = place.store();
    let [below, above] = layers();
    let first = store
        .load(&docker(&["web:1"], std::slice::from_ref(&below))[..])
        .unwrap();
    let mark = store.resolve("web:1").unwrap().layers[0].join("mark");
    fs::write(&mark, "it was not unpacked again").unwrap();
    let second = store.load(&docker(&["web:2"], &[below, above])[..]).unwrap();
    assert_ne!(first[0].digest, second[0].digest);
    assert!(mark.exists());
    assert_eq!(
        store.resolve("web:2").unwrap().layers[0],
        store.resolve("web:1").unwrap().layers[0]
    );
    assert_eq!(place.names("layers").len(), 2);
}

#[test]
fn a_name_moves_to_what_is_loaded_last() {
    let place = Place::new();
    let store = place.store();
    let [one, other] = layers();
    let before = store.load(&docker(&["web:1", "web:latest"], &[one])[..]).unwrap();
    let after = store.load(&docker(&["web:1"], &[other])[..]).unwrap();
    assert_eq!(store.resolve("web:1").unwrap().digest, after[0].digest);
    assert_eq!(store.resolve("web").unwrap().digest, before[0].digest);
    let again = place.path().join("store");
    drop(store);
    let store = orchestrator_images::Store::open(&again, Limits::default()).unwrap();
    assert_eq!(store.resolve("web:1").unwrap().digest, after[0].digest);
    store.resolve(&before[0].digest.to_string()).unwrap();
}

#[test]
fn an_archive_that_is_not_whole_leaves_nothing() {
    let place = Place::new();
    let store = place.store();
    let [layer, other] = layers();
    let whole = docker(&["web:1"], std::slice::from_ref(&layer));
    let wrong_layer = docker_with(
        &["web:1"],
        &config_of(&[Digest::of(&other)]),
        std::slice::from_ref(&layer),
    );
    let one_too_few = docker_with(
        &["web:1"],
        &config_of(&[Digest::of(&layer); 2]),
        std::slice::from_ref(&layer),
    );
    let no_layer = docker_with(&["web:1"], &config_of(&[]), &[]);
    let mut wrong_blob = oci("web:1", std::slice::from_ref(&layer), gzip);
    let greeting = wrong_blob.windows(2).position(|bytes| bytes == [0x1f, 0x8b]).unwrap();
    wrong_blob[greeting + 20] ^= 1;
    let faults = [
        &whole[..whole.len() / 2],
        b"this is no archive",
        b"",
        &Tar::default().file("readme", "nothing").finish(),
        &Tar::default().file("manifest.json", "[]").finish(),
        &Tar::default().file("manifest.json", "{").finish(),
        &Tar::default().file("index.json", r#"{"manifests":[]}"#).finish(),
        &wrong_layer,
        &one_too_few,
        &no_layer,
        &wrong_blob,
    ]
    .map(|archive| store.load(archive).unwrap_err());
    assert!(matches!(faults[7], ImageError::WrongDigest { .. }), "{}", faults[7]);
    assert!(matches!(faults[10], ImageError::WrongDigest { .. }), "{}", faults[10]);
    store.collect().unwrap();
    assert!(store.images().is_empty());
    for directory in ["work", "layers", "images"] {
        assert!(place.names(directory).is_empty(), "{directory}");
    }
    store.load(&whole[..]).unwrap();
}

#[test]
fn links_between_the_blobs_of_an_archive_are_followed_among_them_alone() {
    let place = Place::new();
    let store = place.store();
    let [layer, _] = layers();
    let secret = place.path().join("secret");
    fs::write(&secret, &layer).unwrap();
    let build = |to: &str| {
        let config = config_of(&[Digest::of(&layer)]);
        let manifest = r#"[{"Config":"c.json","RepoTags":["web:1"],"Layers":["a/layer.tar"]}]"#;
        Tar::default()
            .entry(tar::EntryType::Regular, "c.json", "", &config)
            .entry(tar::EntryType::Regular, "b/layer.tar", "", &layer)
            .symlink("a/layer.tar", to)
            .file("manifest.json", manifest)
            .finish()
    };
    let outside = secret.display().to_string();
    for to in [outside.as_str(), "../../../../../../secret", "../a/layer.tar"] {
        store.load(&build(to)[..]).unwrap_err();
    }
    store.load(&build("../b/layer.tar")[..]).unwrap();
}
