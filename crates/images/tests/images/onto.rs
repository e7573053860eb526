//! Archives that lack layers which the store has.

use std::fs;
use std::io::{self, Read};

use orchestrator_images::{Digest, ImageError, Store};

use crate::support::{Place, Tar, docker, gzip, oci_without};

fn layer(name: &str) -> Vec<u8> {
    Tar::default().file(name, "content").finish()
}

/// An archive during whose reading somebody else does something to the store.
struct Meanwhile<'a, F> {
    archive: &'a [u8],
    act: Option<F>,
}

impl<F: FnOnce()> Read for Meanwhile<'_, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(act) = self.act.take() {
            act();
        }
        self.archive.read(buffer)
    }
}

/// A store with an image of two layers, and an archive of another one that shares the first and lacks it.
fn shared(place: &Place) -> (Store, Digest, Vec<u8>) {
    let store = place.store();
    store.load(&docker(&["web:1"], &[layer("a"), layer("b")])[..]).unwrap();
    let archive = oci_without("docker.io/library/web:2", &[layer("a"), layer("c")], &[0], gzip);
    (store, Digest::of(&layer("a")), archive)
}

#[test]
fn an_archive_may_lack_the_layers_that_the_store_has() {
    let place = Place::new();
    let (store, a, archive) = shared(&place);
    let c = Digest::of(&layer("c"));
    assert_eq!(store.layers_of(&[c, a]), [a]);
    let loaded = store.load_onto(&archive[..], &[a]).unwrap();
    assert_eq!((loaded.len(), loaded[0].bytes), (1, 14));
    let resolved = store.resolve("web:2").unwrap();
    for (at, name) in ["a", "c"].iter().enumerate() {
        assert_eq!(fs::read_to_string(resolved.layers[at].join(name)).unwrap(), "content");
    }
    assert_eq!(store.layers_of(&[c, a]), [c, a]);
    // It has its layers like any other image: also when the first one goes, and after a restart.
    store.remove("web:1").unwrap();
    drop(store);
    assert_eq!(place.store().resolve("web:2").unwrap().layers, resolved.layers);
}

#[test]
fn a_layer_that_nobody_asked_to_leave_out_is_missed() {
    let place = Place::new();
    let (store, a, archive) = shared(&place);
    let b = Digest::of(&layer("b"));
    for counted_on in [&[][..], &[b]] {
        let fault = store.load_onto(&archive[..], counted_on).unwrap_err();
        assert!(matches!(fault, ImageError::NoImage { .. }), "{fault}");
    }
    assert!(matches!(store.resolve("web:2"), Err(ImageError::Missing { .. })));
    store.load_onto(&archive[..], &[a]).unwrap();
}

#[test]
fn a_layer_that_was_collected_before_the_load_is_told_before_the_archive_is_read() {
    let place = Place::new();
    let (store, a, archive) = shared(&place);
    assert_eq!(store.layers_of(&[a]), [a]);
    store.remove("web:1").unwrap();
    let mut unread = &archive[..];
    let fault = store.load_onto(&mut unread, &[a]).unwrap_err();
    assert!(
        matches!(fault, ImageError::LayerGone { digest } if digest == a),
        "{fault}"
    );
    assert!(fault.to_string().ends_with("fetch the image again"), "{fault}");
    assert_eq!(unread.len(), archive.len());
    assert_eq!(store.images(), []);
    for directory in ["work", "layers", "images"] {
        assert!(place.names(directory).is_empty(), "{directory}");
    }
}

#[test]
fn a_layer_that_a_load_counts_on_is_not_collected_until_its_end() {
    let place = Place::new();
    let (store, a, archive) = shared(&place);
    let sweeping = Meanwhile {
        archive: &archive,
        act: Some(|| {
            assert_eq!(store.remove("web:1").unwrap().layers, 1, "the other one goes");
            assert_eq!(store.collect().unwrap().layers, 0);
        }),
    };
    store.load_onto(sweeping, &[a]).unwrap();
    assert!(store.resolve("web:2").unwrap().layers[0].join("a").exists());
    assert_eq!(store.remove("web:2").unwrap().layers, 2);

    // A load that fails counts on nothing any more.
    store.load(&docker(&["web:1"], &[layer("a")])[..]).unwrap();
    let broken = Meanwhile {
        archive: &archive[..archive.len() / 2],
        act: Some(|| assert_eq!(store.remove("web:1").unwrap().layers, 0)),
    };
    store.load_onto(broken, &[a]).unwrap_err();
    assert_eq!(store.collect().unwrap().layers, 1);
}
