//! Finds the images in an archive of blobs, in Docker's layout or in OCI's.

mod docker;
mod oci;

use crate::spool::{Blob, Blobs};
use crate::{Digest, ImageError, Limits, Reference};

/// An image whose parts are available but not unpacked yet.
#[derive(Debug)]
pub(crate) struct Staged {
    /// Its names.
    pub(crate) names: Vec<Reference>,
    /// Its configuration, unparsed.
    pub(crate) config: Vec<u8>,
    /// The digest of its manifest, if it has one.
    pub(crate) manifest: Option<Digest>,
    /// Its layers, the lowest first.
    pub(crate) layers: Vec<Layer>,
}

/// A layer of a staged image.
#[derive(Debug)]
pub(crate) enum Layer {
    /// It is in the archive, compressed or not.
    Here(Blob),
    /// The archive lacks the file of this name. The store may have the layer.
    Absent(String),
}

/// All images of an archive.
///
/// # Errors
///
/// When there is none, or when one lacks something else than layers.
pub(crate) fn images(blobs: &Blobs, limits: &Limits) -> Result<Vec<Staged>, ImageError> {
    // An archive of a newer Docker has both layouts, but only Docker's has all names.
    let images = match blobs.document("manifest.json", limits)? {
        Some(manifest) => docker::images(&manifest, blobs, limits)?,
        None => match blobs.document("index.json", limits)? {
            Some(index) => oci::images(&index, blobs, limits)?,
            None => return Err(ImageError::no_image("it has neither manifest.json nor index.json")),
        },
    };
    match images.is_empty() {
        true => Err(ImageError::no_image("it lists none for this machine")),
        false => Ok(images),
    }
}

/// Checks that a blob matches the digest in its name.
fn check(blob: &Blob, expected: Digest) -> Result<(), ImageError> {
    if blob.digest == expected {
        return Ok(());
    }
    Err(ImageError::WrongDigest {
        subject: format!("blob {expected}"),
        found: blob.digest.to_string(),
    })
}

/// The error of a file that a manifest names but the archive does not have.
pub(crate) fn missing(name: &str) -> ImageError {
    let name: String = name.chars().take(200).collect();
    ImageError::no_image(format!("it lacks {name:?}, which its manifest names"))
}

fn unreadable(name: &str, error: &serde_json::Error) -> ImageError {
    ImageError::no_image(format!("{name} cannot be read: {error}"))
}
