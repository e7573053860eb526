//! Errors of an engine, with their remedies.

use std::error::Error;

use crate::Capability;

/// Why an engine could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The engine does not answer: down, restarting, or its socket is missing.
    #[error("engine {engine} does not answer; start it, or set where it listens")]
    Unavailable {
        /// Where it was looked for.
        engine: String,
        /// What happened.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The engine took longer than the plugin's limit.
    #[error("engine {engine} did not {verb} within {seconds} s")]
    Timeout {
        /// Where the engine is.
        engine: String,
        /// The verb that failed.
        verb: &'static str,
        /// The limit in seconds.
        seconds: u64,
    },
    /// The engine does not have the image.
    #[error("image {image:?} is not on the engine; build or pull it there")]
    ImageMissing {
        /// The image that was asked for.
        image: String,
    },
    /// The engine will never do this as it was asked: the template must change.
    #[error("engine refused to {verb} {subject}: {reason}")]
    Refused {
        /// What was asked of it.
        verb: &'static str,
        /// On what.
        subject: String,
        /// In the engine's words.
        reason: String,
    },
    /// This engine can never do this, whatever the template says.
    #[error("engine {engine} cannot {capability}; choose another engine for it, or do without")]
    Unsupported {
        /// The engine's name in the settings.
        engine: String,
        /// What it would have to be able to do.
        capability: Capability,
    },
    /// There is no container of ours to do this to, or it does not run.
    #[error("engine has no running container {subject} to {verb}; see whether its instance is ready")]
    NotRunning {
        /// What was asked of it.
        verb: &'static str,
        /// On what.
        subject: String,
    },
    /// The engine tried and failed.
    #[error("engine could not {verb} {subject}: {reason}")]
    Failed {
        /// What was asked of it.
        verb: &'static str,
        /// On what.
        subject: String,
        /// In the engine's words.
        reason: String,
    },
}

/// The remedy for an [`EngineError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing but the engine's return; the instance itself is not at fault.
    Engine,
    /// Trying again may help.
    Retry,
    /// Someone must change the template or provide the image; tried again now and then.
    Operator,
}

impl EngineError {
    /// The remedy.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Unavailable { .. } => Remedy::Engine,
            Self::Timeout { .. } | Self::Failed { .. } | Self::NotRunning { .. } => Remedy::Retry,
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
            Self::Failed { .. } => "engine-failed",
        }
    }
}
