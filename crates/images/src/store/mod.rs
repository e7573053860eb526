//! The store on the disk.
//!
//! ```text
//!   index.json         which images there are, by digest, with their names    replaced as a whole
//!   images/DIGITS      the configuration of each                              its time is that of its last use
//!   layers/DIGITS/     fs: the layer, unpacked · layer.json: facts about it   renamed into place when whole
//!   holds/HOLDER       a link whose text is the digest of what HOLDER uses
//!   work/              what is being unpacked or removed                      emptied at the start
//!   lock               locked by the process that has the store open
//! ```

mod disk;
mod hold;
mod index;
mod layers;
mod load;
mod open;
mod remove;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::layer::Unpacked;
use crate::reference::Wanted;
use crate::{Digest, ImageConfig, ImageError, Limits, Reference};

use index::Record;
pub use remove::Collected;

/// Images, unpacked.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    limits: Limits,
    state: Mutex<State>,
    /// Numbers for names in `work/`.
    next: AtomicU64,
    /// Locked while the store is open.
    _lock: File,
}

/// What the store has, as it is on the disk.
#[derive(Debug, Default)]
struct State {
    images: BTreeMap<Digest, Kept>,
    layers: HashMap<Digest, Unpacked>,
    /// Layers that a load under way counts on.
    busy: HashMap<Digest, usize>,
    /// Which image each holder uses.
    holds: BTreeMap<String, Digest>,
}

/// An image of the store.
#[derive(Debug, Clone)]
struct Kept {
    record: Record,
    config: Arc<ImageConfig>,
}

/// An image of the store, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// The digest of its configuration, by which the store knows it.
    pub digest: Digest,
    /// The digest of its manifest, by which registries know it, where it came with one.
    pub manifest: Option<Digest>,
    /// Its names. One whose names were all given to other images has none.
    pub names: Vec<Reference>,
    /// Bytes of its files, with those of layers that it shares with others.
    pub bytes: u64,
    /// When it was built, as it says itself.
    pub created: Option<SystemTime>,
    /// When somebody last began or ended to use it, or else when it came.
    pub used: SystemTime,
    /// Who uses it.
    pub holders: Vec<String>,
}

/// An image, ready to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The digest of its configuration.
    pub digest: Digest,
    /// What it runs.
    pub config: Arc<ImageConfig>,
    /// The directories of its layers, the lowest first. The option `lowerdir=` of overlayfs wants the highest first.
    /// Their whiteouts and opaque directories are in the form of overlayfs (`trusted.overlay.opaque`).
    pub layers: Vec<PathBuf>,
}

impl Store {
    /// All images, by their digests.
    pub fn images(&self) -> Vec<StoredImage> {
        let state = self.state();
        state
            .images
            .iter()
            .map(|(digest, kept)| self.described(&state, *digest, kept))
            .collect()
    }

    /// An image by its name, by its digest, or by the digest of its manifest.
    ///
    /// # Errors
    ///
    /// [`ImageError::Missing`].
    pub fn resolve(&self, reference: &str) -> Result<Resolved, ImageError> {
        let state = self.state();
        let digest = state.find(reference)?;
        self.resolved(&state, digest, reference)
    }

    fn resolved(&self, state: &State, digest: Digest, reference: &str) -> Result<Resolved, ImageError> {
        let kept = state.images.get(&digest).ok_or_else(|| missing(reference))?;
        let mut layers: Vec<PathBuf> = Vec::new();
        // From the top: what a layer hides is not needed, and the kernel takes no directory twice.
        for layer in kept.config.layers.iter().rev() {
            let path = self.layer_directory(layer).join(layers::CONTENT);
            if !layers.contains(&path) {
                layers.push(path);
            }
            if state.layers.get(layer).is_some_and(|facts| facts.is_opaque) {
                break;
            }
        }
        layers.reverse();
        Ok(Resolved {
            digest,
            config: kept.config.clone(),
            layers,
        })
    }

    fn described(&self, state: &State, digest: Digest, kept: &Kept) -> StoredImage {
        let layers = kept.config.layers.iter();
        let bytes = layers
            .filter_map(|layer| state.layers.get(layer))
            .map(|facts| facts.bytes);
        let holders = state.holds.iter().filter(|(_, of)| **of == digest);
        let config = self.config_path(&digest);
        let used = std::fs::metadata(config).and_then(|facts| facts.modified());
        StoredImage {
            digest,
            manifest: kept.record.manifest,
            names: kept.record.names.iter().cloned().collect(),
            bytes: bytes.fold(0, u64::saturating_add),
            created: kept.config.created.map(SystemTime::from),
            used: used.unwrap_or(SystemTime::UNIX_EPOCH),
            holders: holders.map(|(holder, _)| holder.clone()).collect(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change is made in one step, so that a panic leaves a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn config_path(&self, digest: &Digest) -> PathBuf {
        self.path(disk::IMAGES).join(digest.hex())
    }

    fn layer_directory(&self, digest: &Digest) -> PathBuf {
        self.path(disk::LAYERS).join(digest.hex())
    }

    /// The directory of the store.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

impl State {
    fn find(&self, reference: &str) -> Result<Digest, ImageError> {
        let found = match Wanted::parse(reference) {
            Some(Wanted::Digest(digest)) if self.images.contains_key(&digest) => Some(digest),
            Some(Wanted::Digest(digest)) => self.position(|kept| kept.record.manifest == Some(digest)),
            Some(Wanted::Name(name)) => self.position(|kept| kept.record.names.contains(&name)),
            None => None,
        };
        found.ok_or_else(|| missing(reference))
    }

    fn position(&self, is: impl Fn(&Kept) -> bool) -> Option<Digest> {
        let mut images = self.images.iter();
        images.find(|(_, kept)| is(kept)).map(|(digest, _)| *digest)
    }

    /// The records alone, as they are written.
    fn records(&self) -> BTreeMap<Digest, Record> {
        let records = self.images.iter();
        records.map(|(digest, kept)| (*digest, kept.record.clone())).collect()
    }
}

fn missing(reference: &str) -> ImageError {
    ImageError::Missing {
        reference: reference.chars().take(300).collect(),
    }
}
