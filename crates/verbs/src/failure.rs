//! The reasons for which a verb fails, and their exit codes.

use std::io;

use crate::api::CallError;

/// The reason why a verb failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The API refused, or did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Nothing has this name.
    #[error("there is no {kind} {id:?}; `orchestrator ls {list}` shows those there are")]
    NotFound {
        /// The kind of thing that was looked for.
        kind: &'static str,
        /// The name.
        id: String,
        /// The command that lists the existing ones.
        list: &'static str,
    },
    /// Several ids begin with the given text.
    #[error("{id:?} is the beginning of {several}; give more of it")]
    Ambiguous {
        /// The given text.
        id: String,
        /// The ids that begin with it.
        several: String,
    },
    /// Several things have this name.
    #[error("{name:?} may be {several}; give the whole name, or an id")]
    AmbiguousName {
        /// The name.
        name: String,
        /// The things that have it.
        several: String,
    },
    /// A client has no instance.
    #[error("{client} has no instance; `orchestrator show` says what became of it")]
    NoInstance {
        /// The client.
        client: String,
    },
    /// The settings are wrong.
    #[error("the settings are wrong, and nothing was changed")]
    Refused {
        /// All faults.
        faults: Vec<String>,
    },
    /// An answer cannot be read.
    #[error("the answer holds {what} that is not known here; is the daemon newer than this program?")]
    Answer {
        /// The expected content.
        what: &'static str,
        /// Why it cannot be read.
        #[source]
        source: serde_json::Error,
    },
    /// A list has no end.
    #[error("the daemon's list has no end: it goes on where it was before")]
    Endless,
    /// The result cannot be printed.
    #[error("cannot print")]
    Print(#[source] io::Error),
}

impl Failure {
    /// The exit code for this reason; `docs/cli.md` lists them.
    pub fn code(&self) -> u8 {
        match self {
            Self::NotFound { .. } | Self::NoInstance { .. } => 3,
            Self::Call(CallError::Problem(problem)) if problem.status == 404 => 3,
            Self::Call(CallError::Unreachable(_)) => 4,
            Self::Refused { .. } => 64,
            _ => 1,
        }
    }

    /// Whether the reader of the output has closed it: `orchestrator ls | head -1`.
    pub fn is_no_reader(&self) -> bool {
        matches!(self, Self::Print(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
