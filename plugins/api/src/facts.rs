//! Facts about an engine and its images.

/// Facts about an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineFacts {
    /// Name of the engine, for people: `Docker Engine`, `Podman Engine`.
    pub name: String,
    /// Version as the engine reports it.
    pub version: String,
}

/// Facts about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// The engine's id of the image that has the name at present: the digest of its content, `sha256:…`. A container can be
    /// made from the image by this id, also when the name means another image by then.
    pub id: String,
    /// Whether the image brings a health check of its own. It is not run: the template's `ready` says what is healthy.
    pub has_health_check: bool,
}
