//! The reasons for which a verb fails, and their exit codes.

use std::io;

use crate::api::CallError;

/// The exit code of what was not done in time.
pub(crate) const LATE: u8 = 7;

/// The reason why a verb failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The API refused, or did not answer.
    #[error(transparent)]
    Call(CallError),
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
    /// The daemon refused settings, a template or a service that are wrong.
    #[error("{what} wrong, and nothing was changed")]
    Wrong {
        /// What is wrong, with its verb: `the service is`.
        what: String,
        /// All faults.
        faults: Vec<String>,
    },
    /// A file, a word or a stream is not as it must be.
    #[error("{what}")]
    Given {
        /// What is wrong with it.
        what: String,
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
    /// Nothing is meant.
    #[error("no {kind} matches {pattern}; `orchestrator {list}` shows those there are")]
    NoneMatches {
        /// The kind of thing that was looked for.
        kind: &'static str,
        /// The command that lists the existing ones.
        list: &'static str,
        /// The pattern.
        pattern: String,
    },
    /// Several things are meant, and nobody said yes.
    #[error("this would {doing} {count} {several}; say --force, or name each of them")]
    NeedsForce {
        /// What would be done.
        doing: String,
        /// How many there are.
        count: usize,
        /// The word for them.
        several: &'static str,
    },
    /// Somebody said no.
    #[error("nothing was done")]
    NotWanted,
    /// The line makes no sense.
    #[error("{what}")]
    Usage {
        /// What is wrong with it.
        what: String,
    },
    /// It took longer than the line allows.
    #[error("it was not done within {}", orchestrator_model::show_lifespan(*limit))]
    TimedOut {
        /// The limit.
        limit: std::time::Duration,
    },
    /// An instance is not as it was asked to be, and the time is over.
    #[error("{name} is not there after {limit}; it is {state}")]
    NotDone {
        /// The instance.
        name: String,
        /// The time.
        limit: String,
        /// How it is.
        state: String,
    },
    /// Some of several could not be done. Each was reported.
    #[error("{failed} of {of} failed")]
    Some {
        /// How many.
        failed: usize,
        /// Of how many.
        of: usize,
        /// The exit code.
        code: u8,
    },
    /// A command in an instance ended so.
    #[error("exit code {code}")]
    Exit {
        /// Its exit code.
        code: u8,
    },
    /// A log ended before its end.
    #[error(
        "the log of {name} broke off, and lines are missing; `orchestrator log --since TIME` shows them when the daemon answers"
    )]
    LogBrokeOff {
        /// The instance.
        name: String,
    },
    /// An operation on a service did not end well.
    #[error("{what}")]
    Operation {
        /// The operation, how it ended, and why.
        what: String,
    },
    /// An operation on a service still runs, and the time is over.
    #[error("the {kind} of {service} was not done within {}{}; it goes on: `orchestrator wait {id}` waits for its end", orchestrator_model::show_lifespan(*limit), waits.as_ref().map(|waits| format!(" ({waits})")).unwrap_or_default())]
    StillRuns {
        /// The operation.
        id: String,
        /// What it does.
        kind: String,
        /// The service.
        service: String,
        /// The limit.
        limit: std::time::Duration,
        /// What it waits for, if it says so.
        waits: Option<String>,
    },
    /// A request about one of several things failed.
    #[error("{what}")]
    About {
        /// The thing, and why it failed.
        what: String,
        /// The exit code.
        code: u8,
    },
    /// A connection ended before a command did.
    #[error("the connection broke off before the command in {name} ended; it may still run")]
    BrokeOff {
        /// The instance.
        name: String,
    },
    /// A file, a terminal or an input that the line needs is not at hand.
    #[error("cannot {doing} {what}")]
    Local {
        /// What was tried.
        doing: &'static str,
        /// On what.
        what: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A value cannot be shown in a format.
    #[error("the answer cannot be written as {what}: {reason}")]
    Format {
        /// The format.
        what: &'static str,
        /// Why.
        reason: String,
    },
    /// The result cannot be printed.
    #[error("cannot print")]
    Print(#[source] io::Error),
}

impl From<CallError> for Failure {
    /// The faults of what was sent take the place of the problem that has them.
    fn from(error: CallError) -> Self {
        match error {
            CallError::Problem(problem) if !problem.faults.is_empty() => Self::Wrong {
                what: match problem.code.as_str() {
                    "settings-wrong" => "the settings are".to_owned(),
                    "template-wrong" => "the template is".to_owned(),
                    "service-wrong" => "the service is".to_owned(),
                    _ => "what was sent is".to_owned(),
                },
                faults: problem.faults,
            },
            error => Self::Call(error),
        }
    }
}

impl Failure {
    /// The exit code for this reason; `docs/cli.md` lists them.
    pub fn code(&self) -> u8 {
        match self {
            Self::NotFound { .. } | Self::NoInstance { .. } | Self::NoneMatches { .. } => 3,
            Self::NeedsForce { .. } | Self::Usage { .. } => 2,
            Self::TimedOut { .. } | Self::NotDone { .. } | Self::StillRuns { .. } => LATE,
            Self::Exit { code } | Self::About { code, .. } | Self::Some { code, .. } => *code,
            Self::Call(CallError::Problem(problem)) if problem.status == 404 => 3,
            Self::Call(CallError::Unreachable(_)) => 4,
            Self::Wrong { .. } => 64,
            _ => 1,
        }
    }

    /// Whether everything is said already: a command ended by itself, and its exit code is passed on.
    pub fn is_said(&self) -> bool {
        matches!(self, Self::Exit { .. })
    }

    /// All faults of what was sent. They are printed first, one on each line, and then the reason.
    pub fn faults(&self) -> &[String] {
        match self {
            Self::Wrong { faults, .. } => faults,
            _ => &[],
        }
    }

    /// Whether the reader of the output has closed it: `orchestrator ls | head -1`.
    pub fn is_no_reader(&self) -> bool {
        matches!(self, Self::Print(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}
