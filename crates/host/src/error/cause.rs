//! The cause of a verb's failure.

use orchestrator_doctor::MendError;
use orchestrator_network::NetworkError;
use orchestrator_plugin::EngineError;
use orchestrator_runtime::causes::with_causes;

use super::{Remedy, ValueError, VolumeError};
use crate::HostCapability;

/// What is behind the failure of a verb.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The host does not answer.
    #[error("host {host} does not answer: {reason}")]
    Away {
        /// Name of the host.
        host: String,
        /// What happened.
        reason: String,
    },
    /// The host has no engine of this name.
    #[error("engine {0:?} is not in the settings of this daemon; it is needed to run this instance")]
    UnknownEngine(String),
    /// The instance was given no container.
    #[error("the instance has no container; give its template an image")]
    NoContainer,
    /// An engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The kernel failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A value that is not recorded could not be read.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The directory of a volume could not be made, removed or read.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// A setting of the machine could not be changed.
    #[error(transparent)]
    Setting(#[from] MendError),
    /// The host can never do this.
    #[error("host {host} cannot {capability}; use another host for it, or do without")]
    Unsupported {
        /// Name of the host.
        host: String,
        /// What it would have to be able to do.
        capability: HostCapability,
    },
    /// Nobody listens any more to what the host reports.
    #[error("nobody listens to its reports any more")]
    Unheeded,
}

impl Cause {
    /// The remedy.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Away { .. } => Remedy::Host,
            Self::Engine(fault) => fault.remedy().into(),
            Self::Network(_) | Self::Volume(_) | Self::Unheeded => Remedy::Retry,
            Self::UnknownEngine(_)
            | Self::NoContainer
            | Self::Value(_)
            | Self::Setting(_)
            | Self::Unsupported { .. } => Remedy::Operator,
        }
    }

    /// A stable word for counters and the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Away { .. } => "host-away",
            Self::UnknownEngine(_) => "unknown-engine",
            Self::NoContainer => "no-container",
            Self::Engine(fault) => fault.code(),
            Self::Network(NetworkError::BridgeFull { .. }) => "bridge-full",
            Self::Network(NetworkError::BridgeMissing { .. }) => "bridge-missing",
            Self::Network(_) => "wiring-failed",
            Self::Value(_) => "no-environment",
            Self::Volume(_) => "volume-failed",
            Self::Setting(_) => "setting-failed",
            Self::Unsupported { .. } => "host-unsupported",
            Self::Unheeded => "unheeded",
        }
    }

    /// The error and its causes on one line.
    pub fn text(&self) -> String {
        with_causes(self)
    }
}

impl From<orchestrator_plugin::Remedy> for Remedy {
    fn from(remedy: orchestrator_plugin::Remedy) -> Self {
        match remedy {
            orchestrator_plugin::Remedy::Engine => Self::Engine,
            orchestrator_plugin::Remedy::Retry => Self::Retry,
            orchestrator_plugin::Remedy::Operator => Self::Operator,
        }
    }
}
