//! Manifests and indexes. Pure.

use serde::Deserialize;

use super::reference::is_digest;

/// The types that are asked for: manifests and indexes of OCI and of Docker.
pub(super) const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
                                   application/vnd.docker.distribution.manifest.v2+json, \
                                   application/vnd.docker.distribution.manifest.list.v2+json";

/// The most layers of an image.
const LAYERS: usize = 256;
/// The largest document, in bytes: a manifest, an index or a configuration.
pub(super) const DOCUMENT: u64 = 4 << 20;
/// The largest image, in bytes as it is sent.
const LARGEST: u64 = 32 << 30;

/// A part of an image, as a manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Descriptor {
    /// Its digest: `sha256:…`.
    pub(super) digest: String,
    /// Its size in bytes.
    pub(super) size: u64,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Platform {
    os: String,
    architecture: String,
}

/// A manifest or an index.
#[derive(Deserialize)]
struct Written {
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
    manifests: Option<Vec<Descriptor>>,
}

/// The part of a configuration that names layers.
#[derive(Deserialize)]
struct Config {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<String>,
}

/// What a document of a registry says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Document {
    /// The parts of an image.
    Manifest {
        /// The configuration.
        config: Descriptor,
        /// The layers, the lowest first.
        layers: Vec<Descriptor>,
    },
    /// The manifest of the image for this machine.
    Index(Descriptor),
}

impl Document {
    /// Reads a manifest or an index.
    ///
    /// # Errors
    ///
    /// Why the image cannot be fetched.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let written: Written =
            serde_json::from_slice(bytes).map_err(|error| format!("its manifest cannot be read: {error}"))?;
        let parts = written.config.iter().chain(&written.layers);
        let parts = parts.chain(written.manifests.iter().flatten());
        if let Some(strange) = parts.into_iter().find(|part| !is_digest(&part.digest)) {
            let digest: String = strange.digest.chars().take(100).collect();
            return Err(format!("its manifest names {digest:?}, which is no sha256 digest"));
        }
        if let Some(manifests) = written.manifests {
            let ours = manifests.into_iter().find(Descriptor::is_ours);
            return ours.map(Self::Index).ok_or_else(|| {
                let machine = format!("linux/{}", architecture());
                format!("the registry has it for other machines only, and not for {machine}")
            });
        }
        let config = written.config.ok_or("its manifest names no configuration")?;
        let sizes = written.layers.iter().map(|layer| layer.size);
        let total = sizes.fold(config.size, u64::saturating_add);
        match (written.layers.len(), total) {
            (0, _) => Err("it has no layer".to_owned()),
            (layers, _) if layers > LAYERS => Err(format!("it has more than {LAYERS} layers")),
            (_, total) if total > LARGEST => Err(format!("it has more than {LARGEST} bytes")),
            _ if config.size > DOCUMENT => Err(format!("its configuration has more than {DOCUMENT} bytes")),
            _ => Ok(Self::Manifest {
                config,
                layers: written.layers,
            }),
        }
    }
}

impl Descriptor {
    /// Describes a document that is there.
    pub(super) fn new(digest: String, bytes: &[u8]) -> Self {
        Self {
            digest,
            size: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            platform: None,
        }
    }

    fn is_ours(&self) -> bool {
        // Without a platform it is for any.
        let platform = self.platform.as_ref();
        platform.is_none_or(|platform| platform.os == "linux" && platform.architecture == architecture())
    }
}

/// The digests of the uncompressed layers of an image with so many layers, by its configuration: as many as it has layers,
/// each `None` when the configuration does not say it. What is wrong with such an image, the helper says.
pub(super) fn uncompressed(config: &[u8], layers: usize) -> Vec<Option<String>> {
    let found = serde_json::from_slice::<Config>(config).map_or_else(|_| Vec::new(), |config| config.rootfs.diff_ids);
    if found.len() != layers {
        return vec![None; layers];
    }
    let digests = found.into_iter().map(|digest| is_digest(&digest).then_some(digest));
    digests.collect()
}

/// The architecture of this machine, as images name it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn part(number: u8, size: u64) -> Value {
        json!({ "digest": format!("sha256:{}", format!("{number:02x}").repeat(32)), "size": size })
    }

    fn parse(value: &Value) -> Result<Document, String> {
        Document::parse(value.to_string().as_bytes())
    }

    #[test]
    fn the_image_for_this_machine_is_taken() {
        let of = |number, os: &str, architecture: &str| {
            let mut part = part(number, 7);
            part["platform"] = json!({ "os": os, "architecture": architecture });
            part
        };
        let ours = architecture();
        let index = json!({ "manifests": [of(1, "linux", "s390x"), of(2, "windows", ours), of(3, "linux", ours)] });
        let Ok(Document::Index(found)) = parse(&index) else {
            panic!()
        };
        assert!(found.digest.starts_with("sha256:03"));
        let fault = parse(&json!({ "manifests": [of(1, "linux", "s390x")] })).unwrap_err();
        assert!(fault.contains("other machines"), "{fault}");
    }

    #[test]
    fn an_image_that_is_too_large_or_strange_is_refused() {
        let manifest = |config: Value, layers: Vec<Value>| json!({ "config": config, "layers": layers });
        assert!(parse(&manifest(part(1, 7), vec![part(2, 7)])).is_ok());
        for (config, layers, word) in [
            (part(1, 7), vec![], "no layer"),
            (part(1, 7), vec![part(2, 1); 300], "256 layers"),
            (part(1, 7), vec![part(2, u64::MAX), part(3, u64::MAX)], "bytes"),
            (part(1, DOCUMENT + 1), vec![part(2, 1)], "configuration"),
            (
                part(1, 7),
                vec![json!({ "digest": "sha256:../x", "size": 1 })],
                "no sha256 digest",
            ),
            (json!(null), vec![part(2, 1)], "no configuration"),
        ] {
            let fault = parse(&manifest(config, layers)).unwrap_err();
            assert!(fault.contains(word), "{fault}");
        }
        assert!(Document::parse(b"<html>").unwrap_err().contains("cannot be read"));
    }
}
