//! Archives, honest and hostile, and a store in a directory of its own.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use orchestrator_images::{Digest, Limits, Store};
use serde_json::{Value, json};
use tar::{EntryType, Header};

/// A directory that is removed at the end.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("orchestrator-images-{}-{count}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.0.join("store"), Limits::default()).unwrap()
    }

    pub(crate) fn store_within(&self, limits: Limits) -> Store {
        Store::open(&self.0.join("store"), limits).unwrap()
    }

    /// The names in a directory of the store, sorted.
    pub(crate) fn names(&self, directory: &str) -> Vec<String> {
        let entries = fs::read_dir(self.0.join("store").join(directory)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An archive that is written entry by entry, with nothing checked.
#[derive(Clone, Default)]
pub(crate) struct Tar(Vec<u8>);

impl Tar {
    /// An entry with everything in it as it is given.
    pub(crate) fn entry(mut self, kind: EntryType, path: &str, link: &str, content: &[u8]) -> Self {
        let mut header = Header::new_ustar();
        let bytes = header.as_mut_bytes();
        bytes[..path.len()].copy_from_slice(path.as_bytes());
        bytes[157..157 + link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(if kind == EntryType::Directory { 0o755 } else { 0o644 });
        header.set_size(content.len() as u64);
        header.set_uid(7);
        header.set_gid(8);
        header.set_mtime(1_600_000_000);
        header.set_cksum();
        self.push(&header, content);
        self
    }

    /// A header with this content after it, padded.
    pub(crate) fn push(&mut self, header: &Header, content: &[u8]) {
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
    }

    pub(crate) fn file(self, path: &str, content: &str) -> Self {
        self.entry(EntryType::Regular, path, "", content.as_bytes())
    }

    pub(crate) fn directory(self, path: &str) -> Self {
        self.entry(EntryType::Directory, path, "", b"")
    }

    pub(crate) fn symlink(self, path: &str, to: &str) -> Self {
        self.entry(EntryType::Symlink, path, to, b"")
    }

    pub(crate) fn link(self, path: &str, to: &str) -> Self {
        self.entry(EntryType::Link, path, to, b"")
    }

    /// An extended header of this one record for the entry after it.
    pub(crate) fn extended(self, key: &str, value: &[u8]) -> Self {
        let body = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
        let mut length = body.len() + 1;
        while length != body.len() + length.to_string().len() {
            length = body.len() + length.to_string().len();
        }
        let record = [length.to_string().as_bytes(), &body].concat();
        self.entry(EntryType::XHeader, "PaxHeaders", "", &record)
    }

    /// The archive with its end.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 1024]);
        self.0
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn config(layers: &[Vec<u8>]) -> Vec<u8> {
    let digests: Vec<_> = layers.iter().map(|layer| Digest::of(layer)).collect();
    config_of(&digests)
}

pub(crate) fn config_of(digests: &[Digest]) -> Vec<u8> {
    let config = json!({
        "architecture": "amd64", "os": "linux", "created": "2024-01-02T03:04:05Z",
        "config": { "Cmd": ["run"], "Env": ["A=b"], "User": "7" },
        "rootfs": { "type": "layers", "diff_ids": digests },
    });
    config.to_string().into_bytes()
}

/// An archive as an older `docker save` writes it.
pub(crate) fn docker(names: &[&str], layers: &[Vec<u8>]) -> Vec<u8> {
    docker_with(names, &config(layers), layers)
}

pub(crate) fn docker_with(names: &[&str], config: &[u8], layers: &[Vec<u8>]) -> Vec<u8> {
    let config_name = format!("{}.json", Digest::of(config).hex());
    let layer_name = |at: usize| format!("layer-{at}/layer.tar");
    let mut tar = Tar::default().entry(EntryType::Regular, &config_name, "", config);
    for (at, layer) in layers.iter().enumerate() {
        tar = tar.entry(EntryType::Regular, &layer_name(at), "", layer);
    }
    let manifest = json!([{
        "Config": config_name,
        "RepoTags": names,
        "Layers": (0..layers.len()).map(layer_name).collect::<Vec<_>>(),
    }]);
    tar.file("manifest.json", &manifest.to_string()).finish()
}

/// An archive in OCI's layout, with layers as `compress` makes them.
pub(crate) fn oci(name: &str, layers: &[Vec<u8>], compress: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    oci_without(name, layers, &[], compress)
}

/// The same, without the layers at these places.
pub(crate) fn oci_without(
    name: &str,
    layers: &[Vec<u8>],
    absent: &[usize],
    compress: impl Fn(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let config = config(layers);
    let blobs: Vec<_> = layers.iter().map(|layer| compress(layer)).collect();
    let manifest = json!({
        "schemaVersion": 2,
        "config": descriptor(&config),
        "layers": blobs.iter().map(|blob| descriptor(blob)).collect::<Vec<_>>(),
    });
    let manifest = manifest.to_string().into_bytes();
    let mut named = descriptor(&manifest);
    named["annotations"] = json!({ "io.containerd.image.name": name });
    let other = json!({ "digest": Digest::of(b"other"), "platform": { "os": "windows", "architecture": "amd64" } });
    let index = json!({ "schemaVersion": 2, "manifests": [other, named] });
    let mut tar = Tar::default().file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
    let layers = blobs.iter().enumerate().filter(|(place, _)| !absent.contains(place));
    for blob in layers.map(|(_, blob)| blob).chain([&config, &manifest]) {
        let path = format!("blobs/sha256/{}", Digest::of(blob).hex());
        tar = tar.entry(EntryType::Regular, &path, "", blob);
    }
    tar.file("index.json", &index.to_string()).finish()
}

fn descriptor(blob: &[u8]) -> Value {
    json!({ "digest": Digest::of(blob), "size": blob.len() })
}
