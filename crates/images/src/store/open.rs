//! Opening a store: what a crash left is cleared away, and what is not whole is not offered.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use rustix::fs::{FlockOperation, flock};
use tracing::warn;

use super::disk::{HOLDS, IMAGES, LAYERS, LOCK, WORK, make_private};
use super::index::{self, Record};
use super::{Kept, State, Store, hold, layers};
use crate::layer::Unpacked;
use crate::{Digest, ImageConfig, ImageError, Limits};

impl Store {
    /// Opens the store in `directory`, which is made when it is missing. Its parent must exist.
    ///
    /// Removes what a crash left half-done. An image of which a part is missing is no longer listed.
    ///
    /// # Errors
    ///
    /// [`ImageError::Locked`] when another process has it open; [`ImageError::Store`] when it cannot be read or written.
    pub fn open(directory: &Path, limits: Limits) -> Result<Self, ImageError> {
        for path in ["", IMAGES, LAYERS, HOLDS, WORK] {
            let path = directory.join(path);
            make_private(&path).map_err(ImageError::store("make directory", &path))?;
        }
        let lock = lock(directory)?;
        let work = directory.join(WORK);
        let clear = || -> io::Result<()> {
            fs::remove_dir_all(&work)?;
            make_private(&work)
        };
        clear().map_err(ImageError::store("clear", &work))?;
        let store = Self {
            directory: directory.to_owned(),
            limits,
            state: Mutex::default(),
            next: AtomicU64::new(0),
            _lock: lock,
        };
        store.read_state()?;
        store.collect()?;
        store.remove_strange_configs()?;
        Ok(store)
    }

    fn read_state(&self) -> Result<(), ImageError> {
        let recorded = index::read(&self.directory)?;
        let (mut images, mut layers) = (BTreeMap::new(), HashMap::new());
        for (digest, record) in recorded {
            match self.read_image(digest, record, &mut layers) {
                Ok(kept) => {
                    images.insert(digest, kept);
                }
                Err(fault) => {
                    warn!(image = %digest, error = &fault as &dyn std::error::Error, "an image of the store is not whole and is no longer offered; load it again");
                }
            }
        }
        let holds = hold::read(&self.path(HOLDS), &images)?;
        *self.state() = State {
            images,
            layers,
            busy: HashMap::new(),
            holds,
        };
        Ok(())
    }

    fn read_image(
        &self,
        digest: Digest,
        record: Record,
        layers: &mut HashMap<Digest, Unpacked>,
    ) -> Result<Kept, ImageError> {
        let path = self.config_path(&digest);
        let bytes = fs::read(&path).map_err(ImageError::store("read", &path))?;
        let found = Digest::of(&bytes);
        if found != digest {
            return Err(ImageError::WrongDigest {
                subject: format!("configuration {digest}"),
                found: found.to_string(),
            });
        }
        let config = ImageConfig::read(&bytes, &self.limits)?;
        for layer in &config.layers {
            if !layers.contains_key(layer) {
                layers.insert(*layer, layers::read_facts(&self.layer_directory(layer))?);
            }
        }
        Ok(Kept {
            record,
            config: Arc::new(config),
        })
    }

    /// Removes configurations of images that are not listed: those of a load or removal that was cut short.
    fn remove_strange_configs(&self) -> Result<(), ImageError> {
        let directory = self.path(IMAGES);
        let fault = ImageError::store("clear", &directory);
        for entry in fs::read_dir(&directory).map_err(&fault)? {
            let entry = entry.map_err(&fault)?;
            let digest = entry.file_name().to_str().and_then(Digest::from_hex);
            if !digest.is_some_and(|digest| self.state().images.contains_key(&digest)) {
                fs::remove_file(entry.path()).map_err(&fault)?;
            }
        }
        Ok(())
    }
}

fn lock(directory: &Path) -> Result<File, ImageError> {
    let path = directory.join(LOCK);
    let fault = ImageError::store("lock", &path);
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(&fault)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(ImageError::Locked {
            directory: directory.display().to_string(),
        }),
        Err(errno) => Err(fault(errno.into())),
    }
}
