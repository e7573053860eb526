//! The layout of `docker save`: `manifest.json` names the configuration and the layers of each image.

use serde::Deserialize;

use super::{Layer, Staged, check, missing, unreadable};
use crate::spool::Blobs;
use crate::{Digest, ImageError, Limits, Reference};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Written {
    config: String,
    repo_tags: Option<Vec<String>>,
    layers: Option<Vec<String>>,
}

/// The images of a manifest.
pub(super) fn images(manifest: &[u8], blobs: &Blobs, limits: &Limits) -> Result<Vec<Staged>, ImageError> {
    let written: Vec<Written> =
        serde_json::from_slice(manifest).map_err(|error| unreadable("manifest.json", &error))?;
    written.into_iter().map(|image| staged(image, blobs, limits)).collect()
}

fn staged(written: Written, blobs: &Blobs, limits: &Limits) -> Result<Staged, ImageError> {
    let config = blobs.get(&written.config).ok_or_else(|| missing(&written.config))?;
    if let Some(digest) = digest_in(&written.config) {
        check(config, digest)?;
    }
    let names = written.repo_tags.unwrap_or_default();
    let names: Result<Vec<Reference>, _> = names.iter().map(|name| name.parse()).collect();
    let layers = written.layers.unwrap_or_default();
    let layers = layers.into_iter().map(|name| match blobs.get(&name) {
        Some(blob) => Layer::Here(blob.clone()),
        None => Layer::Absent(name),
    });
    Ok(Staged {
        names: names.map_err(|fault| ImageError::no_image(fault.to_string()))?,
        config: config.document(&written.config, limits)?,
        manifest: None,
        layers: layers.collect(),
    })
}

/// The digest in the name of a configuration: `DIGITS.json` or `blobs/sha256/DIGITS`.
fn digest_in(name: &str) -> Option<Digest> {
    let last = name.rsplit('/').next()?;
    Digest::from_hex(last.strip_suffix(".json").unwrap_or(last))
}
