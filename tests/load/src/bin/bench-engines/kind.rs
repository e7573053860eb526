//! The engines that are measured.

use std::fmt;

use clap::ValueEnum;

/// An engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Docker Engine.
    Docker,
    /// Podman's service.
    Podman,
    /// runc, by the helper.
    Oci,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Docker, Self::Podman, Self::Oci];

    /// The word for it in the settings.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Oci => "oci",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
