//! Why the helper did not do what it was asked.

use orchestrator_plugin::EngineError;
use serde::{Deserialize, Serialize};

/// What the helper was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Look whether it can work at all.
    Check,
    /// Make a container.
    Create,
    /// Start a container.
    Start,
    /// End a container's processes.
    Stop,
    /// Remove a container.
    Remove,
    /// Join the network namespace of another container.
    ShareNetwork,
    /// Write files into a container.
    WriteFiles,
    /// Read files of a container.
    ReadFiles,
    /// Run a command in a container.
    Run,
    /// Resize a terminal of a container.
    Resize,
    /// Read what a container wrote.
    ReadLog,
    /// Measure what a container uses.
    Measure,
    /// Freeze a container.
    Freeze,
    /// Let a frozen container go on.
    Thaw,
    /// Give a container another name.
    Rename,
    /// Find containers.
    Find,
    /// Watch for changes.
    Watch,
    /// Load images.
    LoadImages,
}

impl Verb {
    /// The verb in the words of an error message: "could not …".
    pub fn words(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Create => "create",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Remove => "remove",
            Self::ShareNetwork => "share a network with",
            Self::WriteFiles => "write files into",
            Self::ReadFiles => "read files of",
            Self::Run => "run a command in",
            Self::Resize => "resize a terminal of",
            Self::ReadLog => "read the log of",
            Self::Measure => "measure",
            Self::Freeze => "freeze",
            Self::Thaw => "let go on",
            Self::Rename => "rename",
            Self::Find => "find",
            Self::Watch => "watch",
            Self::LoadImages => "load",
        }
    }
}

/// Why the helper did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Fault {
    /// The image is not in the helper's store.
    ImageMissing {
        /// The image that was asked for.
        image: String,
    },
    /// It can never be done as it was asked.
    Refused {
        /// What was being done.
        verb: Verb,
        /// To what.
        subject: String,
        /// Why.
        reason: String,
    },
    /// There is no container to do this to, or it does not run.
    NotRunning {
        /// What was to be done.
        verb: Verb,
        /// To what.
        subject: String,
    },
    /// It was tried, and did not work.
    Failed {
        /// What was being done.
        verb: Verb,
        /// To what.
        subject: String,
        /// Why.
        reason: String,
    },
    /// As much of this is under way as the helper allows at once.
    Busy {
        /// What was to be done.
        verb: Verb,
        /// To what.
        subject: String,
        /// How many of what are under way.
        reason: String,
    },
    /// It took longer than the helper waits.
    Timeout {
        /// What was being done.
        verb: Verb,
        /// The limit in seconds.
        seconds: u64,
    },
}

impl Fault {
    /// A fault that another try may mend.
    pub fn failed(verb: Verb, subject: impl Into<String>, reason: impl ToString) -> Self {
        Self::Failed {
            verb,
            subject: subject.into(),
            reason: reason.to_string(),
        }
    }

    /// A fault that only another request can mend.
    pub fn refused(verb: Verb, subject: impl Into<String>, reason: impl ToString) -> Self {
        Self::Refused {
            verb,
            subject: subject.into(),
            reason: reason.to_string(),
        }
    }

    /// There is no such container, or it does not run.
    pub fn not_running(verb: Verb, subject: impl Into<String>) -> Self {
        Self::NotRunning {
            verb,
            subject: subject.into(),
        }
    }

    /// As much of this is under way as is allowed at once.
    pub fn busy(verb: Verb, subject: impl Into<String>, reason: impl ToString) -> Self {
        Self::Busy {
            verb,
            subject: subject.into(),
            reason: reason.to_string(),
        }
    }

    /// The status of the answer that carries it.
    pub fn status(&self) -> u16 {
        match self {
            Self::ImageMissing { .. } | Self::NotRunning { .. } => 409,
            Self::Refused { .. } => 422,
            Self::Failed { .. } => 500,
            Self::Busy { .. } => 503,
            Self::Timeout { .. } => 504,
        }
    }

    /// The same as an error of the engine that listens at `engine`.
    pub fn into_error(self, engine: &str) -> EngineError {
        match self {
            Self::ImageMissing { image } => EngineError::ImageMissing { image },
            Self::Refused { verb, subject, reason } => EngineError::Refused {
                verb: verb.words(),
                subject,
                reason,
            },
            Self::NotRunning { verb, subject } => EngineError::NotRunning {
                verb: verb.words(),
                subject,
            },
            Self::Failed { verb, subject, reason } => EngineError::Failed {
                verb: verb.words(),
                subject,
                reason,
            },
            Self::Busy { verb, subject, reason } => EngineError::Busy {
                verb: verb.words(),
                subject,
                reason,
            },
            Self::Timeout { verb, seconds } => EngineError::Timeout {
                engine: engine.to_owned(),
                verb: verb.words(),
                seconds,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_survives_the_wire_and_keeps_its_remedy() {
        let faults = [
            Fault::ImageMissing { image: "x".to_owned() },
            Fault::refused(Verb::Create, "c", "because"),
            Fault::not_running(Verb::ShareNetwork, "c"),
            Fault::failed(Verb::Start, "c", "because"),
            Fault::busy(Verb::Run, "c", "2 commands run"),
            Fault::Timeout {
                verb: Verb::Stop,
                seconds: 9,
            },
        ];
        let codes = [
            "image-missing",
            "engine-refused",
            "not-running",
            "engine-failed",
            "engine-busy",
            "engine-timeout",
        ];
        for (fault, code) in faults.into_iter().zip(codes) {
            let text = serde_json::to_string(&fault).unwrap();
            assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), fault, "{text}");
            assert_eq!(fault.into_error("unix:/x").code(), code);
        }
    }
}
