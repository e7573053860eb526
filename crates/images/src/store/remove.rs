//! Removing images, and collecting layers that none uses any more.

use std::collections::HashSet;
use std::fs;

use super::disk::LAYERS;
use super::{State, Store};
use crate::layer::Unpacked;
use crate::reference::Wanted;
use crate::{Digest, ImageError, Reference};

/// What was collected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Layers.
    pub layers: usize,
    /// Bytes of their files.
    pub bytes: u64,
}

/// What a removal takes.
enum Part {
    Name(Reference),
    All,
}

impl Store {
    /// Removes a name from its image, and the image with its last name; or, by its digest, an image with all its names.
    /// Layers that no other image has go with it. Removing what is not there is success.
    ///
    /// # Errors
    ///
    /// [`ImageError::InUse`] when the image would go and somebody holds it.
    pub fn remove(&self, reference: &str) -> Result<Collected, ImageError> {
        {
            let mut state = self.state();
            let digest = match state.find(reference) {
                Ok(digest) => digest,
                Err(ImageError::Missing { .. }) => return Ok(Collected::default()),
                Err(fault) => return Err(fault),
            };
            let part = match Wanted::parse(reference) {
                Some(Wanted::Name(name)) => Part::Name(name),
                _ => Part::All,
            };
            self.unlist(&mut state, digest, &part, reference)?;
        }
        self.collect()
    }

    fn unlist(&self, state: &mut State, digest: Digest, part: &Part, reference: &str) -> Result<(), ImageError> {
        let mut records = state.records();
        let goes = match (part, records.get_mut(&digest)) {
            (Part::Name(name), Some(record)) => {
                record.names.remove(name);
                record.names.is_empty()
            }
            _ => true,
        };
        if !goes {
            self.write_index(records.clone())?;
        } else {
            if let Some((holder, _)) = state.holds.iter().find(|(_, of)| **of == digest) {
                return Err(ImageError::InUse {
                    reference: reference.to_owned(),
                    holder: holder.clone(),
                });
            }
            records.remove(&digest);
            self.write_index(records.clone())?;
            state.images.remove(&digest);
            let path = self.config_path(&digest);
            fs::remove_file(&path).map_err(ImageError::store("remove", &path))?;
        }
        for (digest, record) in records {
            if let Some(kept) = state.images.get_mut(&digest) {
                kept.record = record;
            }
        }
        Ok(())
    }

    /// Removes all layers that no image has.
    ///
    /// # Errors
    ///
    /// [`ImageError::Store`].
    pub fn collect(&self) -> Result<Collected, ImageError> {
        let all = self.path(LAYERS);
        let fault = ImageError::store("clear", &all);
        let mut collected = Collected::default();
        let mut taken = Vec::new();
        {
            let mut state = self.state();
            let needed = state.needed();
            for entry in fs::read_dir(&all).map_err(&fault)? {
                let entry = entry.map_err(&fault)?;
                let digest = entry.file_name().to_str().and_then(Digest::from_hex);
                if digest.is_some_and(|digest| needed.contains(&digest)) {
                    continue;
                }
                let away = self.work_name();
                fs::rename(entry.path(), &away).map_err(&fault)?;
                let facts = digest.and_then(|digest| state.layers.remove(&digest));
                collected.layers += 1;
                collected.bytes += facts.map_or(0, |facts: Unpacked| facts.bytes);
                taken.push(away);
            }
        }
        // Without the lock: a layer may have many files.
        for path in taken {
            fs::remove_dir_all(&path).map_err(ImageError::store("remove", &path))?;
        }
        Ok(collected)
    }
}

impl State {
    /// The layers of all images, and those that a load counts on.
    fn needed(&self) -> HashSet<Digest> {
        let images = self.images.values().flat_map(|kept| kept.config.layers.iter());
        images.chain(self.busy.keys()).copied().collect()
    }
}
