//! One image on its way from the registry. All of it blocks.

use std::collections::BTreeSet;
use std::io::Read;

use bytes::Bytes;
use orchestrator_plugin::{EngineError, PullProgress};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::archive;
use super::http::Registry;
use super::manifest::{Descriptor, Document, uncompressed};
use super::reference::Version;

/// The size of a piece, in bytes.
const PIECE: usize = 128 << 10;

/// Bytes between two steps.
const STEP: u64 = 1 << 20;

/// An image whose manifest and configuration are there.
pub(super) struct Transfer {
    registry: Registry,
    manifest: (Descriptor, Vec<u8>),
    config: (Descriptor, Vec<u8>),
    layers: Vec<Layer>,
}

/// A layer, and what is done with it.
struct Layer {
    /// As the manifest has it: compressed.
    described: Descriptor,
    /// The digest of the uncompressed layer. `None` when the configuration does not say which it is.
    uncompressed: Option<String>,
    /// Whether it is left out, because the helper has it.
    is_there: bool,
}

/// Where the pieces of the archive go.
type Pieces = mpsc::Sender<Result<Bytes, EngineError>>;

impl Transfer {
    /// Fetches the manifest and the configuration of the image for this machine.
    ///
    /// # Errors
    ///
    /// Why the image cannot be fetched.
    pub(super) fn begin(mut registry: Registry) -> Result<Self, EngineError> {
        let version = registry.reference.version.clone();
        let mut bytes = registry.manifest(version.as_str())?;
        if let Version::Digest(digest) = &version {
            check(&registry, &bytes, digest)?;
        }
        let mut digest = digest_of(&bytes);
        let parsed =
            |registry: &Registry, bytes: &[u8]| Document::parse(bytes).map_err(|reason| registry.refused(reason));
        let mut document = parsed(&registry, &bytes)?;
        if let Document::Index(ours) = document {
            bytes = registry.manifest(&ours.digest)?;
            check(&registry, &bytes, &ours.digest)?;
            digest = ours.digest;
            document = parsed(&registry, &bytes)?;
        }
        let Document::Manifest { config, layers } = document else {
            return Err(registry.refused("its index names another index"));
        };
        let written = registry.small_blob(&config.digest)?;
        check(&registry, &written, &config.digest)?;
        let uncompressed = uncompressed(&written, layers.len());
        let layers = layers.into_iter().zip(uncompressed);
        let layers = layers.map(|(described, uncompressed)| Layer {
            described,
            uncompressed,
            is_there: false,
        });
        let layers = layers.collect();
        let manifest = Descriptor::new(digest, &bytes);
        let config = Descriptor::new(config.digest, &written);
        Ok(Self {
            registry,
            manifest: (manifest, bytes),
            config: (config, written),
            layers,
        })
    }

    /// The digests of the uncompressed layers, as far as the configuration says them.
    pub(super) fn layers(&self) -> Vec<String> {
        let known = self.layers.iter().filter_map(|layer| layer.uncompressed.clone());
        known.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Leaves these layers out of the archive. Returns those that the image has.
    pub(super) fn leave_out(&mut self, there: &BTreeSet<String>) -> Vec<String> {
        let mut left_out = BTreeSet::new();
        for layer in &mut self.layers {
            if let Some(digest) = layer.uncompressed.as_ref().filter(|digest| there.contains(*digest)) {
                layer.is_there = true;
                left_out.insert(digest.clone());
            }
        }
        left_out.into_iter().collect()
    }

    /// Sends the archive of the image, until its end or until nobody reads it.
    ///
    /// # Errors
    ///
    /// Why a layer cannot be fetched. It is sent, too.
    pub(super) fn send(mut self, pieces: &Pieces, progress: &mpsc::Sender<PullProgress>) -> Result<(), EngineError> {
        let sent = self.send_all(pieces, progress);
        match sent {
            Ok(()) | Err(Stopped::Unread) => Ok(()),
            Err(Stopped::Fault(fault)) => {
                // A body that breaks off is never taken for a whole archive.
                let broken = self.registry.interrupted("the registry broke off");
                let _ = pieces.blocking_send(Err(broken));
                Err(fault)
            }
        }
    }

    fn send_all(&mut self, pieces: &Pieces, progress: &mpsc::Sender<PullProgress>) -> Result<(), Stopped> {
        let name = self.registry.reference.name();
        let index = archive::index(&self.manifest.0, name.as_deref());
        let mut sent = BTreeSet::new();
        self.file("index.json", &index, pieces)?;
        for (descriptor, bytes) in [&self.manifest, &self.config] {
            if sent.insert(descriptor.digest.clone()) {
                self.file(&archive::blob(&descriptor.digest), bytes, pieces)?;
            }
        }
        for layer in std::mem::take(&mut self.layers) {
            let Layer {
                described, is_there, ..
            } = layer;
            // An image may have the same layer twice.
            if !sent.insert(described.digest.clone()) {
                continue;
            }
            match is_there {
                // It is the only step of this layer, so it waits for room. That nobody wants to know is no error.
                true => drop(progress.blocking_send(exists(&described))),
                false => self.layer(&described, pieces, progress)?,
            }
        }
        put(pieces, Bytes::from_static(&archive::END))
    }

    fn file(&self, path: &str, bytes: &[u8], pieces: &Pieces) -> Result<(), Stopped> {
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.head(path, size, pieces)?;
        put(pieces, Bytes::copy_from_slice(bytes))?;
        put(pieces, Bytes::from_static(archive::padding(size)))
    }

    fn head(&self, path: &str, size: u64, pieces: &Pieces) -> Result<(), Stopped> {
        let header = archive::header(path, size).map_err(|error| self.registry.interrupted(&error.to_string()))?;
        put(pieces, Bytes::copy_from_slice(header.as_bytes()))
    }

    /// Sends a layer of exactly the size that its manifest says. The helper verifies its digest.
    fn layer(
        &mut self,
        layer: &Descriptor,
        pieces: &Pieces,
        progress: &mpsc::Sender<PullProgress>,
    ) -> Result<(), Stopped> {
        let mut content = self.registry.blob(&layer.digest)?;
        self.head(&archive::blob(&layer.digest), layer.size, pieces)?;
        let step = |done: u64| PullProgress {
            part: Some(short(&layer.digest)),
            status: "Downloading".to_owned(),
            bytes: Some((done, layer.size)),
        };
        let (mut done, mut shown) = (0, 0);
        let mut piece = vec![0; PIECE];
        // A step that finds no room is left out.
        let _ = progress.try_send(step(0));
        loop {
            let read = content
                .read(&mut piece)
                .map_err(|error| self.registry.interrupted(&error.to_string()))?;
            if read == 0 {
                break;
            }
            done += u64::try_from(read).unwrap_or(u64::MAX);
            if done > layer.size {
                break;
            }
            put(pieces, Bytes::copy_from_slice(piece.get(..read).unwrap_or_default()))?;
            if done - shown >= STEP {
                shown = done;
                let _ = progress.try_send(step(done));
            }
        }
        if done != layer.size {
            let (digest, size) = (&layer.digest, layer.size);
            let reason = format!("layer {digest} does not have the {size} bytes that its manifest says");
            return Err(Stopped::Fault(self.registry.refused(reason)));
        }
        let _ = progress.try_send(step(done));
        put(pieces, Bytes::from_static(archive::padding(layer.size)))
    }
}

/// The only step of a layer that is not fetched. It is done.
fn exists(layer: &Descriptor) -> PullProgress {
    PullProgress {
        part: Some(short(&layer.digest)),
        status: "Already exists".to_owned(),
        bytes: Some((layer.size, layer.size)),
    }
}

/// Why the archive was not sent to its end.
enum Stopped {
    /// Nobody reads it any more.
    Unread,
    /// The registry is at fault.
    Fault(EngineError),
}

impl From<EngineError> for Stopped {
    fn from(fault: EngineError) -> Self {
        Self::Fault(fault)
    }
}

fn put(pieces: &Pieces, piece: Bytes) -> Result<(), Stopped> {
    match piece.is_empty() {
        true => Ok(()),
        false => pieces.blocking_send(Ok(piece)).map_err(|_| Stopped::Unread),
    }
}

fn check(registry: &Registry, bytes: &[u8], expected: &str) -> Result<(), EngineError> {
    let found = digest_of(bytes);
    match found == expected {
        true => Ok(()),
        false => Err(registry.refused(format!("the registry sent {found} for {expected}"))),
    }
}

fn digest_of(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{digits}")
}

/// The digits of a digest that people go by.
fn short(digest: &str) -> String {
    digest
        .strip_prefix("sha256:")
        .unwrap_or(digest)
        .chars()
        .take(12)
        .collect()
}
