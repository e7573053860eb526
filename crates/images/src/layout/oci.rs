//! The OCI image layout: `index.json` names manifests, and everything is a blob under its digest.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Layer, Staged, check, missing, unreadable};
use crate::spool::{Blob, Blobs};
use crate::{Digest, ImageError, Limits, Reference};

/// The largest nesting of indexes: an index may name further indexes.
const LEVELS: usize = 4;
/// The annotation with a complete name, as containerd writes it.
const FULL_NAME: &str = "io.containerd.image.name";
/// The annotation of the standard. Often it is only a tag, which is not a name.
const NAME: &str = "org.opencontainers.image.ref.name";

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

/// A manifest or an index. Its keys show which of the two it is.
#[derive(Deserialize)]
struct Either {
    config: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Descriptor {
    digest: Digest,
    platform: Option<Platform>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Platform {
    os: String,
    architecture: String,
}

/// The images of an index that this machine can run.
pub(super) fn images(index: &[u8], blobs: &Blobs, limits: &Limits) -> Result<Vec<Staged>, ImageError> {
    let index: Index = serde_json::from_slice(index).map_err(|error| unreadable("index.json", &error))?;
    let mut images: Vec<Staged> = Vec::new();
    for descriptor in &index.manifests {
        let names = name(descriptor)?.into_iter().collect();
        collect(descriptor, names, blobs, limits, LEVELS, &mut images)?;
    }
    Ok(images)
}

fn collect(
    descriptor: &Descriptor,
    names: Vec<Reference>,
    blobs: &Blobs,
    limits: &Limits,
    levels: usize,
    images: &mut Vec<Staged>,
) -> Result<(), ImageError> {
    if descriptor.platform.as_ref().is_some_and(|platform| !platform.is_ours()) {
        return Ok(());
    }
    if images.len() >= limits.blobs {
        return Err(ImageError::refused("the archive lists too many images"));
    }
    let levels = levels
        .checked_sub(1)
        .ok_or_else(|| ImageError::refused("the archive has indexes of indexes without end"))?;
    let (_, bytes) = document(descriptor, blobs, limits)?;
    let fault = |error| unreadable("a manifest", &error);
    let either: Either = serde_json::from_slice(&bytes).map_err(fault)?;
    if either.config.is_none() {
        let index: Index = serde_json::from_slice(&bytes).map_err(fault)?;
        for inner in &index.manifests {
            collect(inner, names.clone(), blobs, limits, levels, images)?;
        }
        return Ok(());
    }
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(fault)?;
    let layers = manifest.layers.iter().map(|layer| match blobs.get(&name_of(layer)) {
        Some(_) => blob(layer, blobs).cloned().map(Layer::Here),
        None => Ok(Layer::Absent(name_of(layer))),
    });
    images.push(Staged {
        names,
        config: document(&manifest.config, blobs, limits)?.1,
        manifest: Some(descriptor.digest),
        layers: layers.collect::<Result<_, _>>()?,
    });
    Ok(())
}

/// The name of a blob in the archive.
fn name_of(descriptor: &Descriptor) -> String {
    format!("blobs/sha256/{}", descriptor.digest.hex())
}

fn blob<'a>(descriptor: &Descriptor, blobs: &'a Blobs) -> Result<&'a Blob, ImageError> {
    let name = name_of(descriptor);
    let blob = blobs.get(&name).ok_or_else(|| missing(&name))?;
    check(blob, descriptor.digest)?;
    Ok(blob)
}

fn document<'a>(descriptor: &Descriptor, blobs: &'a Blobs, limits: &Limits) -> Result<(&'a Blob, Vec<u8>), ImageError> {
    let blob = blob(descriptor, blobs)?;
    let bytes = blob.document(&descriptor.digest.to_string(), limits)?;
    Ok((blob, bytes))
}

fn name(descriptor: &Descriptor) -> Result<Option<Reference>, ImageError> {
    let full = descriptor.annotations.get(FULL_NAME);
    let short = descriptor.annotations.get(NAME);
    let name = full.or(short.filter(|name| name.contains([':', '/'])));
    let name = name.map(|name| name.parse().map_err(|fault: crate::ReferenceError| fault.to_string()));
    name.transpose().map_err(ImageError::no_image)
}

impl Platform {
    fn is_ours(&self) -> bool {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        self.os == "linux" && self.architecture == architecture
    }
}
