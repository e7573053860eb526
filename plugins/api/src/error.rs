//! What can go wrong with an engine, and what helps.

use std::error::Error;

/// Why a plugin could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
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
        /// What was asked of it.
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

/// What helps against a [`PluginError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing but the engine's return; the instance itself is not at fault.
    Engine,
    /// Trying again may help.
    Retry,
    /// Someone must change the template or provide the image; tried again now and then.
    Operator,
}

impl PluginError {
    /// What helps.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Unavailable { .. } => Remedy::Engine,
            Self::Timeout { .. } | Self::Failed { .. } => Remedy::Retry,
            Self::ImageMissing { .. } | Self::Refused { .. } => Remedy::Operator,
        }
    }

    /// A stable word for counters and the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "engine-unavailable",
            Self::Timeout { .. } => "engine-timeout",
            Self::ImageMissing { .. } => "image-missing",
            Self::Refused { .. } => "engine-refused",
            Self::Failed { .. } => "engine-failed",
        }
    }
}
