//! Names of images.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Digest;

/// The longest name, in bytes.
const LONGEST: usize = 255;

/// The prefixes that a name without a registry stands for.
const DEFAULT_PLACES: [&str; 2] = ["docker.io/library/", "docker.io/"];

/// A name of an image, always with a tag: `web` and `docker.io/library/web:latest` are both `web:latest`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference(String);

/// The text is not a name of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an image's name; write it like registry.example/web:1.2")]
pub struct ReferenceError(pub String);

impl Reference {
    /// The name with its tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let fault = || ReferenceError(text.chars().take(LONGEST).collect());
        let short = DEFAULT_PLACES.iter().find_map(|place| text.strip_prefix(place));
        let name = short.unwrap_or(text);
        let known = |byte| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'/' | b':');
        if name.len() > LONGEST || !name.bytes().all(known) {
            return Err(fault());
        }
        let (place, last) = match name.rsplit_once('/') {
            Some((place, last)) => (Some(place), last),
            None => (None, name),
        };
        let (image, tag) = last.split_once(':').unwrap_or((last, "latest"));
        let parts = place.into_iter().flat_map(|place| place.split('/')).chain([image]);
        let is_part = |part: &str| !part.is_empty() && !part.starts_with(['.', '-', ':']);
        if !parts.into_iter().all(is_part) || !is_part(tag) || tag.contains(':') {
            return Err(fault());
        }
        let place = place.map(|place| format!("{place}/")).unwrap_or_default();
        Ok(Self(format!("{place}{image}:{tag}")))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Reference {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// A request for an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// By a name.
    Name(Reference),
    /// By the digest of its configuration or of its manifest.
    Digest(Digest),
}

impl Wanted {
    /// Parses `web`, `web:1`, `web@sha256:…`, `sha256:…` or the digits of a digest.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digest = text.rsplit_once('@').map_or(text, |(_, digest)| digest);
        if let Some(digest) = digest.parse().ok().or_else(|| Digest::from_hex(digest)) {
            return Some(Self::Digest(digest));
        }
        text.parse().ok().map(Self::Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_tag_and_no_default_place() {
        for (text, name) in [
            ("web", "web:latest"),
            ("web:1", "web:1"),
            ("docker.io/library/web", "web:latest"),
            ("docker.io/some/web:2", "some/web:2"),
            ("[::1]:5000/web", ""),
            ("registry.example:5000/a/b", "registry.example:5000/a/b:latest"),
        ] {
            let read = text.parse::<Reference>().map(|name| name.to_string());
            assert_eq!(read.unwrap_or_default(), name, "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "x".repeat(300);
        for text in [
            "", ":", "a:", "/a", "a//b", "../a", "a/../b", "a b", "a:b:c", "a\nb", &long,
        ] {
            text.parse::<Reference>().unwrap_err();
        }
    }

    #[test]
    fn an_image_is_asked_for_by_name_or_digest() {
        let digest = Digest::of(b"x");
        for text in [digest.to_string(), digest.hex(), format!("host/web@{digest}")] {
            assert_eq!(Wanted::parse(&text), Some(Wanted::Digest(digest)), "{text}");
        }
        assert_eq!(Wanted::parse("web"), Some(Wanted::Name("web:latest".parse().unwrap())));
        assert_eq!(Wanted::parse("web@sha256:12"), None);
    }
}
