//! Loading images.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use super::index::Record;
use super::{Kept, Store, StoredImage};
use crate::layout::{self, Layer, Staged};
use crate::spool::Blobs;
use crate::{Digest, ImageConfig, ImageError};

impl Store {
    /// Loads all images of an archive, in Docker's layout (`docker save`) or in OCI's, compressed or not.
    ///
    /// A name that another image has is given to the loaded one. What is there already is not unpacked again.
    ///
    /// # Errors
    ///
    /// Why it is refused or unreadable. Images of the archive that came before the faulty one are kept.
    pub fn load(&self, archive: impl Read) -> Result<Vec<StoredImage>, ImageError> {
        self.load_onto(archive, &[])
    }

    /// Loads an archive that may lack layers which the store has: those with these digests of their uncompressed form.
    /// From the start of the call to its end, none of them is collected.
    ///
    /// # Errors
    ///
    /// As for [`load`](Self::load), and [`ImageError::LayerGone`] when one of these layers is not there. That is said
    /// before the archive is read.
    pub fn load_onto(&self, archive: impl Read, layers: &[Digest]) -> Result<Vec<StoredImage>, ImageError> {
        let _pinned = self.pin_present(layers)?;
        let workspace = self.workspace()?;
        let blobs = Blobs::read(archive, workspace.path(), &self.limits)?;
        let staged = layout::images(&blobs, &self.limits)?;
        let mut loaded = Vec::new();
        for image in staged {
            let image = self.keep(image, layers)?;
            loaded.retain(|other: &StoredImage| other.digest != image.digest);
            loaded.push(image);
        }
        Ok(loaded)
    }

    /// Unpacks the layers of an image that are not there yet, and lists it. The archive may lack `pinned` layers.
    fn keep(&self, staged: Staged, pinned: &[Digest]) -> Result<StoredImage, ImageError> {
        let config = ImageConfig::read(&staged.config, &self.limits)?;
        let digest = Digest::of(&staged.config);
        if config.layers.is_empty() || config.layers.len() != staged.layers.len() {
            let (named, brought) = (config.layers.len(), staged.layers.len());
            let reason = format!("its configuration names {named} layers, and it has {brought}");
            return Err(ImageError::refused(reason));
        }
        let _pinned = self.pin(&config.layers);
        for (digest, layer) in config.layers.iter().zip(&staged.layers) {
            match layer {
                Layer::Here(blob) => self.ensure_layer(*digest, || File::open(&blob.path))?,
                Layer::Absent(_) if pinned.contains(digest) => {}
                Layer::Absent(name) => return Err(layout::missing(name)),
            }
        }
        self.write_whole(&self.config_path(&digest), &staged.config)?;
        self.list(digest, staged, config)
    }

    fn list(&self, digest: Digest, staged: Staged, config: ImageConfig) -> Result<StoredImage, ImageError> {
        let mut state = self.state();
        let mut records = state.records();
        for record in records.values_mut() {
            record.names.retain(|name| !staged.names.contains(name));
        }
        let record = records.entry(digest).or_default();
        record.names.extend(staged.names);
        record.manifest = staged.manifest.or(record.manifest);
        // The disk first: what it does not have is not offered.
        self.write_index(records.clone())?;
        let config = Arc::new(config);
        state.images.entry(digest).or_insert_with(|| Kept {
            record: Record::default(),
            config,
        });
        for (digest, record) in records {
            if let Some(kept) = state.images.get_mut(&digest) {
                kept.record = record;
            }
        }
        let kept = state.images.get(&digest);
        kept.map(|kept| self.described(&state, digest, kept))
            .ok_or_else(|| super::missing(&digest.to_string()))
    }
}
