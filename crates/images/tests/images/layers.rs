//! What a layer becomes on the disk, in the form that overlayfs knows.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use tar::EntryType;

use crate::support::{Place, Tar, docker};

fn load(place: &Place, layer: Tar) -> PathBuf {
    let store = place.store();
    store.load(&docker(&["web:1"], &[layer.finish()])[..]).unwrap();
    store.resolve("web:1").unwrap().layers[0].clone()
}

fn is_whiteout(path: &Path) -> bool {
    let facts = fs::symlink_metadata(path).unwrap();
    facts.file_type().is_char_device() && facts.rdev() == 0
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = [0; 64];
    let length = rustix::fs::lgetxattr(path, name, &mut value).ok()?;
    Some(value[..length].to_owned())
}

fn is_opaque(path: &Path) -> bool {
    attribute(path, "trusted.overlay.opaque").as_deref() == Some(b"y")
}

#[test]
fn files_have_their_owner_mode_time_and_attributes() {
    let place = Place::new();
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let layer = Tar::default()
        .directory("bin/")
        .extended("SCHILY.xattr.security.capability", &capability)
        .extended("SCHILY.xattr.trusted.overlay.redirect", b"/etc")
        .extended("mtime", b"1500000000.25")
        .file("bin/ping", "program")
        .link("bin/ping6", "bin/ping")
        .symlink("bin/sh", "/bin/busybox")
        .entry(EntryType::Fifo, "pipe", "", b"");
    let root = load(&place, layer);
    let ping = fs::metadata(root.join("bin/ping")).unwrap();
    assert_eq!((ping.uid(), ping.gid(), ping.mode() & 0o7777), (7, 8, 0o644));
    assert_eq!((ping.mtime(), ping.mtime_nsec()), (1_500_000_000, 250_000_000));
    assert_eq!(
        attribute(&root.join("bin/ping"), "security.capability").as_deref(),
        Some(&capability[..])
    );
    assert_eq!(attribute(&root.join("bin/ping"), "trusted.overlay.redirect"), None);
    assert_eq!(fs::metadata(root.join("bin/ping6")).unwrap().ino(), ping.ino());
    assert_eq!(fs::read_link(root.join("bin/sh")).unwrap(), Path::new("/bin/busybox"));
    let directory = fs::metadata(root.join("bin")).unwrap();
    assert_eq!((directory.mtime(), directory.uid()), (1_600_000_000, 7));
    assert!(fs::metadata(root.join("pipe")).unwrap().file_type().is_fifo());
}

#[test]
fn what_is_taken_away_is_a_device_and_what_is_hidden_an_attribute() {
    let place = Place::new();
    let layer = Tar::default()
        .file("etc/.wh.gone", "")
        .file("var/.wh..wh..opq", "")
        .file("var/new", "new")
        // Taken away and made anew: nothing from below is in it.
        .file(".wh.replaced", "")
        .file("replaced/new", "new")
        .directory("later/")
        .file(".wh.later", "")
        .file(".wh.file", "")
        .file("file", "of this layer")
        .file("kept", "of this layer")
        .file(".wh.kept", "")
        .file(".wh..wh.plnk/7.8", "a note");
    let root = load(&place, layer);
    assert!(is_whiteout(&root.join("etc/gone")));
    for hidden in ["var", "replaced", "later"] {
        assert!(is_opaque(&root.join(hidden)), "{hidden}");
    }
    assert!(!is_opaque(&root.join("etc")));
    for file in ["file", "kept"] {
        assert_eq!(fs::read_to_string(root.join(file)).unwrap(), "of this layer");
    }
    assert!(!root.join(".wh..wh.plnk").exists());
}

#[test]
fn a_layer_that_hides_all_cuts_off_those_below() {
    let place = Place::new();
    let store = place.store();
    let below = Tar::default().file("old", "old").finish();
    let above = Tar::default().file(".wh..wh..opq", "").file("new", "new").finish();
    store
        .load(&docker(&["web:1"], &[below.clone(), above.clone()])[..])
        .unwrap();
    let layers = store.resolve("web:1").unwrap().layers;
    assert_eq!(layers.len(), 1);
    assert!(layers[0].join("new").exists());
    // A layer that comes twice counts where it comes last.
    store
        .load(
            &docker(
                &["web:2"],
                &[below.clone(), Tar::default().file("x", "").finish(), below],
            )[..],
        )
        .unwrap();
    let layers = store.resolve("web:2").unwrap().layers;
    assert_eq!(layers.len(), 2);
    assert!(layers[1].join("old").exists());
}

#[test]
fn a_later_entry_takes_the_place_of_an_earlier_one() {
    let place = Place::new();
    let layer = Tar::default()
        .file("a", "first")
        .file("a", "second")
        .directory("tree/")
        .file("tree/deep/file", "gone")
        .file("tree", "a file now")
        .file("b", "a file")
        .directory("b/")
        .symlink("c", "b")
        .directory("c/")
        .file("c/inside", "of c");
    let root = load(&place, layer);
    assert_eq!(fs::read_to_string(root.join("a")).unwrap(), "second");
    assert_eq!(fs::read_to_string(root.join("tree")).unwrap(), "a file now");
    assert!(root.join("b").is_dir() && !root.join("b/inside").exists());
    assert!(fs::symlink_metadata(root.join("c")).unwrap().is_dir());
}

#[test]
fn devices_are_left_out_and_so_is_one_that_would_take_a_name_away() {
    let place = Place::new();
    let layer = Tar::default()
        .entry(EntryType::Char, "dev/null", "", b"")
        .entry(EntryType::Block, "dev/sda", "", b"")
        .file("dev/file", "");
    let root = load(&place, layer);
    assert_eq!(fs::read_dir(root.join("dev")).unwrap().count(), 1);
}
