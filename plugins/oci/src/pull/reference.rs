//! Names of images on registries. Pure.

use std::net::IpAddr;

/// The registry of images whose name has none, and the host where it is.
const DEFAULT: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// The longest name, in bytes.
const LONGEST: usize = 512;

/// An image on a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// The name as it was given.
    pub(super) given: String,
    /// The registry, as credentials are given for it: `docker.io`, `registry.example:5000`.
    pub(super) registry: String,
    /// The name on the registry: `library/web`.
    pub(super) repository: String,
    /// The tag or the digest.
    pub(super) version: Version,
}

/// Which of the images of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Version {
    /// The one that the tag means now.
    Tag(String),
    /// The one with this digest: `sha256:…`.
    Digest(String),
}

impl Reference {
    /// Parses `web`, `registry.example:5000/a/web:1.2` and `web@sha256:…`. Without a tag it is `latest`.
    ///
    /// # Errors
    ///
    /// Why it is no name of an image.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fault = || "it is no name of an image; write it like registry.example/web:1.2".to_owned();
        if text.len() > LONGEST {
            return Err(fault());
        }
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let (registry, path) = match name.split_once('/') {
            Some((first, path)) if is_host(first) => (first, path),
            _ => (DEFAULT.0, name),
        };
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        let version = match digest {
            Some(digest) if is_digest(digest) => Version::Digest(digest.to_owned()),
            Some(_) => return Err(fault()),
            None => Version::Tag(tag.unwrap_or("latest").to_owned()),
        };
        let is_tag = |tag: &str| tag.len() <= 128 && is_part(tag, |byte| byte.is_ascii_alphanumeric());
        let parts = |part: &str| is_part(part, |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9'));
        if !repository.split('/').all(parts) || tag.is_some_and(|tag| !is_tag(tag)) || !is_place(registry) {
            return Err(fault());
        }
        let repository = match registry == DEFAULT.0 && !repository.contains('/') {
            true => format!("library/{repository}"),
            false => repository.to_owned(),
        };
        Ok(Self {
            given: text.to_owned(),
            registry: registry.to_owned(),
            repository,
            version,
        })
    }

    /// The host and port that serves it.
    pub(super) fn host(&self) -> &str {
        match self.registry == DEFAULT.0 {
            true => DEFAULT.1,
            false => &self.registry,
        }
    }

    /// The name under which it is loaded; `None` for one that was asked for by its digest.
    pub(super) fn name(&self) -> Option<String> {
        match &self.version {
            Version::Digest(_) => None,
            Version::Tag(tag) => Some(format!("{}/{}:{tag}", self.registry, self.repository)),
        }
    }

    /// Whether the registry is on this machine's loopback interface.
    pub(super) fn is_loopback(&self) -> bool {
        let host = self
            .registry
            .rsplit_once(':')
            .map_or(self.registry.as_str(), |(host, _)| host);
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl Version {
    /// As a part of a path.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Tag(text) | Self::Digest(text) => text,
        }
    }
}

/// Whether the first part of a name is a registry: it has a dot or a port, or is this machine.
fn is_host(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':'])
}

/// Whether it can be the authority of a URL, and nothing but that.
fn is_place(registry: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    !registry.is_empty() && registry.bytes().all(known)
}

fn is_part(part: &str, begins: impl Fn(u8) -> bool) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let first = part.bytes().next();
    first.is_some_and(|byte| begins(byte) || byte == b'_') && part.bytes().all(known) && !part.contains("..")
}

/// Whether it is `sha256:` and 64 digits.
pub(super) fn is_digest(text: &str) -> bool {
    let digits = text.strip_prefix("sha256:");
    digits.is_some_and(|digits| {
        digits.len() == 64 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_registry_a_repository_and_a_version() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (text, host, repository, version) in [
            ("web", "registry-1.docker.io", "library/web", "latest"),
            ("some/web:2", "registry-1.docker.io", "some/web", "2"),
            ("registry.example/web:1.2", "registry.example", "web", "1.2"),
            ("localhost/a/b", "localhost", "a/b", "latest"),
            ("[::1]:5000/web:1", "[::1]:5000", "web", "1"),
            (&format!("host:5000/web@{digest}"), "host:5000", "web", &digest),
            (&format!("host:5000/web:1@{digest}"), "host:5000", "web", &digest),
        ] {
            let read = Reference::parse(text).unwrap();
            assert_eq!(
                (read.host(), read.repository.as_str(), read.version.as_str()),
                (host, repository, version),
                "{text}"
            );
        }
        assert_eq!(
            Reference::parse("web").unwrap().name().unwrap(),
            "docker.io/library/web:latest"
        );
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "x".repeat(600);
        for text in [
            "",
            "host.example/",
            "host.example/../web",
            "host.example/a//b",
            "host.example/web:",
            "host.example/web:a/b",
            "host.example/web@sha256:12",
            "host.example/we b",
            "user@host.example/web",
            "host.example?x/web",
            "host.example/web#x",
            "WEB/x",
            &long,
        ] {
            Reference::parse(text).unwrap_err();
        }
    }

    #[test]
    fn only_the_loopback_interface_counts_as_this_machine() {
        for (text, expected) in [
            ("localhost:5000/web", true),
            ("127.0.0.1:5000/web", true),
            ("[::1]:5000/web", true),
            ("127.0.0.1.example:5000/web", false),
            ("192.0.2.1:5000/web", false),
            ("web", false),
        ] {
            assert_eq!(Reference::parse(text).unwrap().is_loopback(), expected, "{text}");
        }
    }
}
