//! Images as they are recorded: those that versions of templates are pinned to, and those that were brought.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::lease::words;
use super::{HostId, Timestamp};

/// An image on an engine of a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageKey {
    /// The host.
    pub host: HostId,
    /// The engine.
    pub engine: String,
    /// The engine's id of the image: the digest of its content.
    pub id: String,
}

/// The image that a name in a version of a template means on an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePin {
    /// The template.
    pub template: String,
    /// Its version.
    pub version: u64,
    /// The host.
    pub host: HostId,
    /// The engine.
    pub engine: String,
    /// The name in the template.
    pub image: String,
    /// The engine's id of the image: the digest of its content.
    pub digest: String,
    /// When the name was resolved.
    pub pinned: Timestamp,
}

impl ImagePin {
    /// The image on its engine.
    pub fn key(&self) -> ImageKey {
        ImageKey {
            host: self.host.clone(),
            engine: self.engine.clone(),
            id: self.digest.clone(),
        }
    }
}

/// How an image came to its engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageSource {
    /// From an archive.
    Loaded,
    /// From a registry.
    Pulled,
}

words!(ImageSource { Loaded = "loaded", Pulled = "pulled" });

/// Whether an image stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageState {
    /// It stays.
    Kept,
    /// It is being removed. No version of a template takes it.
    Removing,
}

words!(ImageState { Kept = "kept", Removing = "removing" });

/// An image that was loaded or fetched through the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroughtImage {
    /// The image.
    pub key: ImageKey,
    /// Its name when it was brought, or else its id.
    pub name: String,
    /// How it came.
    pub source: ImageSource,
    /// When it came.
    pub brought: Timestamp,
    /// Who brought it.
    pub by: Option<String>,
    /// Since when nothing uses it; `None` while something does.
    pub unused: Option<Timestamp>,
    /// Whether it stays.
    pub state: ImageState,
}

/// Whether two names mean the same image: either may leave out the registry and the tag that are the default.
pub fn is_same_image(one: &str, other: &str) -> bool {
    let plain = |name: &str| {
        let name = name.strip_prefix("docker.io/").unwrap_or(name);
        let name = name.strip_prefix("localhost/").unwrap_or(name);
        let name = name.strip_prefix("library/").unwrap_or(name);
        let name = name.strip_prefix("sha256:").unwrap_or(name);
        name.strip_suffix(":latest").unwrap_or(name).to_owned()
    };
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_may_be_left_out() {
        for (written, name) in [
            ("web", "web:latest"),
            ("web:latest", "docker.io/library/web:latest"),
            ("some/web", "localhost/some/web:latest"),
            ("sha256:0a", "sha256:0a"),
            ("sha256:0a", "0a"),
        ] {
            assert!(is_same_image(written, name), "{written} {name}");
        }
        assert!(!is_same_image("web:1", "web:2") && !is_same_image("web", "other/web"));
    }
}
