//! Errors of executables ↔ errors of the engine trait.

use std::time::Duration;

use orchestrator_plugin::{EngineError, Remedy};

use crate::process::RunError;
use crate::protocol::{Code, Fault};

/// The most of what an executable says of an error that is passed on, in characters.
const WORDS: usize = 1000;

/// A verb on something, for the messages of its errors.
#[derive(Debug, Clone)]
pub(crate) struct Doing<'a> {
    /// The executable.
    pub(crate) program: &'a str,
    /// The verb in plain words.
    pub(crate) verb: &'static str,
    /// On what.
    pub(crate) subject: &'a str,
    /// The limit for the call.
    pub(crate) limit: Duration,
}

impl Doing<'_> {
    pub(crate) fn failed(&self, reason: impl Into<String>) -> EngineError {
        EngineError::Failed {
            verb: self.verb,
            subject: self.subject.to_owned(),
            reason: reason.into(),
        }
    }

    pub(crate) fn refused(&self, reason: impl Into<String>) -> EngineError {
        EngineError::Refused {
            verb: self.verb,
            subject: self.subject.to_owned(),
            reason: reason.into(),
        }
    }

    pub(crate) fn timed_out(&self) -> EngineError {
        EngineError::Timeout {
            engine: self.program.to_owned(),
            verb: self.verb,
            seconds: self.limit.as_secs(),
        }
    }

    /// The error of an executable that could not be run to its end.
    pub(crate) fn not_run(&self, error: RunError) -> EngineError {
        match error {
            RunError::TimedOut => self.timed_out(),
            RunError::NotStarted(source) => EngineError::Unavailable {
                engine: self.program.to_owned(),
                source: Box::new(source),
            },
            other => self.failed(other.to_string()),
        }
    }

    /// The error that an executable answered.
    pub(crate) fn answered(&self, fault: &Fault, image: Option<&str>) -> EngineError {
        let message = words(&fault.message);
        let message = match message.is_empty() {
            true => format!("{} gives no reason (code {})", self.program, fault.code),
            false => message,
        };
        match Code::of(fault.code) {
            Code::NotRunning => EngineError::NotRunning {
                verb: self.verb,
                subject: self.subject.to_owned(),
            },
            Code::ImageMissing => EngineError::ImageMissing {
                image: image.unwrap_or(self.subject).to_owned(),
            },
            Code::Unavailable => EngineError::Unavailable {
                engine: self.program.to_owned(),
                source: message.into(),
            },
            Code::Refused | Code::Protocol | Code::Unreadable => self.refused(message),
            Code::TryAgain | Code::Other => self.failed(message),
        }
    }
}

/// What an executable says, on one line that acts on nothing.
pub(crate) fn words(text: &str) -> String {
    let mut plain = String::new();
    for c in text.trim().chars().take(WORDS) {
        match c {
            '\n' | '\r' | '\t' => plain.push(' '),
            '"' | '\'' | '\\' => plain.push(c),
            _ => plain.extend(c.escape_debug()),
        }
    }
    plain
}

/// The error of an engine as an executable answers it.
pub(crate) fn fault(error: &EngineError) -> Fault {
    let code = match error {
        EngineError::NotRunning { .. } => Code::NotRunning,
        EngineError::ImageMissing { .. } => Code::ImageMissing,
        other => match other.remedy() {
            Remedy::Engine => Code::Unavailable,
            Remedy::Operator => Code::Refused,
            Remedy::Retry => Code::TryAgain,
        },
    };
    let reason = match error {
        EngineError::Refused { reason, .. } | EngineError::Failed { reason, .. } => reason.clone(),
        other => other.to_string(),
    };
    Fault::new(code, reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOING: Doing<'static> = Doing {
        program: "/opt/engine",
        verb: "create",
        subject: "orchestrator-3f9a2c01d2e4",
        limit: Duration::from_secs(30),
    };

    #[test]
    fn codes_tell_what_helps() {
        let remedy = |code| {
            let fault = Fault {
                code,
                message: "because".to_owned(),
            };
            DOING.answered(&fault, None).remedy()
        };
        for code in [1, 4, 6, 7] {
            assert_eq!(remedy(code), Remedy::Operator, "{code}");
        }
        for code in [3, 11, 100, 255] {
            assert_eq!(remedy(code), Remedy::Retry, "{code}");
        }
        assert_eq!(remedy(12), Remedy::Engine);
    }

    #[test]
    fn errors_go_there_and_back() {
        for error in [
            DOING.failed("x"),
            DOING.refused("y"),
            DOING.answered(&Fault::new(Code::Unavailable, "z"), None),
        ] {
            let back = DOING.answered(&fault(&error), None);
            assert_eq!((back.code(), back.to_string()), (error.code(), error.to_string()));
        }
    }

    #[test]
    fn what_an_executable_says_acts_on_nothing() {
        assert_eq!(words(" no\nroom \u{1b}[2J left "), "no room \\u{1b}[2J left");
        assert_eq!(words(&"x".repeat(5000)).len(), WORDS);
    }
}
