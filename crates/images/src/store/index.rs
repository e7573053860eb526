//! The list of images, as it is written.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Store;
use super::disk::INDEX;
use crate::{Digest, ImageError, Reference};

/// The version of the format.
const VERSION: u32 = 1;

/// What is recorded of an image besides its configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The digest of its manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) manifest: Option<Digest>,
    /// Its names.
    pub(super) names: BTreeSet<Reference>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    images: BTreeMap<Digest, Record>,
}

/// Reads the list; there is none in a new store.
pub(super) fn read(directory: &Path) -> Result<BTreeMap<Digest, Record>, ImageError> {
    let path = directory.join(INDEX);
    let fault = ImageError::store("read", &path);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(fault(error)),
    };
    let written: Written = serde_json::from_slice(&bytes).map_err(|error| fault(error.into()))?;
    if written.version != VERSION {
        let reason = format!("it has version {}, and this program reads {VERSION}", written.version);
        return Err(fault(io::Error::other(reason)));
    }
    Ok(written.images)
}

impl Store {
    /// Replaces the list.
    pub(super) fn write_index(&self, images: BTreeMap<Digest, Record>) -> Result<(), ImageError> {
        let path = self.path(INDEX);
        let written = Written {
            version: VERSION,
            images,
        };
        let bytes =
            serde_json::to_vec_pretty(&written).map_err(|error| ImageError::store("write", &path)(error.into()))?;
        self.write_whole(&path, &bytes)
    }
}
