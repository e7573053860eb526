//! Errors of an engine, with their remedies.

use std::error::Error;

use crate::{Capability, ContainerKey};

/// The reason why a call of an engine failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The engine does not answer: it is down, restarting, or its socket is missing.
    #[error("engine {engine} does not answer; start it, or set where it listens")]
    Unavailable {
        /// The engine's address.
        engine: String,
        /// The cause.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The engine took longer than the plugin's limit.
    #[error("engine {engine} did not {verb} within {seconds} s")]
    Timeout {
        /// The engine's address.
        engine: String,
        /// The verb that failed.
        verb: &'static str,
        /// The limit in seconds.
        seconds: u64,
    },
    /// The engine does not have the image.
    #[error("image {image:?} is not on the engine; build or pull it there")]
    ImageMissing {
        /// The image.
        image: String,
    },
    /// The engine will always refuse this request: the template must change.
    #[error("engine refused to {verb} {subject}: {reason}")]
    Refused {
        /// The verb that failed.
        verb: &'static str,
        /// The subject of the verb.
        subject: String,
        /// The engine's reason.
        reason: String,
    },
    /// This engine lacks a capability, whatever the template says.
    #[error("engine {engine} cannot {capability}; choose another engine for it, or do without")]
    Unsupported {
        /// The engine's name in the settings.
        engine: String,
        /// The missing capability.
        capability: Capability,
    },
    /// As much of this is under way as the engine allows at once.
    #[error("engine did not {verb} {subject}: {reason}; try again when one of them has ended")]
    Busy {
        /// The verb that was refused.
        verb: &'static str,
        /// The subject of the verb.
        subject: String,
        /// How many of what are under way.
        reason: String,
    },
    /// There is no such container of ours, or it does not run.
    #[error("engine has no running container {subject} to {verb}; see whether its instance is ready")]
    NotRunning {
        /// The verb that failed.
        verb: &'static str,
        /// The subject of the verb.
        subject: String,
    },
    /// The engine tried and failed.
    #[error("engine could not {verb} {subject}: {reason}")]
    Failed {
        /// The verb that failed.
        verb: &'static str,
        /// The subject of the verb.
        subject: String,
        /// The engine's reason.
        reason: String,
    },
}

/// The remedy for an [`EngineError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Wait until the engine answers again. The instance itself is not at fault.
    Engine,
    /// Try again.
    Retry,
    /// Somebody must change the template or provide the image. It is tried again from time to time.
    Operator,
}

impl EngineError {
    /// A container was not started, because nobody wired its network.
    pub fn not_wired(container: &ContainerKey) -> Self {
        Self::Failed {
            verb: "start",
            subject: container.engine_name(),
            reason: "its network was not wired".to_owned(),
        }
    }

    /// The remedy.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Unavailable { .. } => Remedy::Engine,
            Self::Timeout { .. } | Self::Failed { .. } | Self::NotRunning { .. } | Self::Busy { .. } => Remedy::Retry,
            Self::ImageMissing { .. } | Self::Refused { .. } | Self::Unsupported { .. } => Remedy::Operator,
        }
    }

    /// A stable word for counters and the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "engine-unavailable",
            Self::Timeout { .. } => "engine-timeout",
            Self::ImageMissing { .. } => "image-missing",
            Self::Refused { .. } => "engine-refused",
            Self::Unsupported { .. } => "engine-unsupported",
            Self::NotRunning { .. } => "not-running",
            Self::Busy { .. } => "engine-busy",
            Self::Failed { .. } => "engine-failed",
        }
    }
}
