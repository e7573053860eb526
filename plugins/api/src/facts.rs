//! Facts about an engine and its images.

/// Facts about an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineFacts {
    /// The name of the engine, for people: `Docker Engine`, `Podman Engine`.
    pub name: String,
    /// The version that the engine reports.
    pub version: String,
}

/// Facts about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageFacts {
    /// The engine's id of the image that has the name now: the digest of its content, `sha256:…`. A container can be
    /// made from the image by this id, even when the name means another image by then.
    pub id: String,
    /// Whether the image has its own health check. It is not run: the template's `ready` decides about readiness.
    pub has_health_check: bool,
}
