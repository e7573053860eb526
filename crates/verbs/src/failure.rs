//! Why a verb failed, and the exit code that says so.

use std::io;

use crate::api::CallError;

/// Why a verb failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The API refused, or did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Nothing goes by the name.
    #[error("there is no {kind} {id:?}; `orchestrator ls {list}` shows those there are")]
    NotFound {
        /// What was looked for.
        kind: &'static str,
        /// The name.
        id: String,
        /// What lists those there are.
        list: &'static str,
    },
    /// Several ids begin like this.
    #[error("{id:?} is the beginning of {several}; give more of it")]
    Ambiguous {
        /// The beginning.
        id: String,
        /// Those that begin so.
        several: String,
    },
    /// Several things go by the name.
    #[error("{name:?} may be {several}; give the whole name, or an id")]
    AmbiguousName {
        /// The name.
        name: String,
        /// Those that go by it.
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
        /// Each thing that is wrong.
        faults: Vec<String>,
    },
    /// An answer cannot be read.
    #[error("the answer holds {what} that is not known here; is the daemon newer than this program?")]
    Answer {
        /// What it should hold.
        what: &'static str,
        /// Why it cannot be read.
        #[source]
        source: serde_json::Error,
    },
    /// A list goes on without end.
    #[error("the daemon's list has no end: it goes on where it was before")]
    Endless,
    /// The result cannot be printed.
    #[error("cannot print")]
    Print(#[source] io::Error),
}

impl Failure {
    /// The exit code of a program that fails for this reason; `docs/cli.md` lists them.
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
