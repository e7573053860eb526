//! Failures at a balancer.

use std::io;
use std::time::Duration;

/// Why a balancer could not be brought to what it is to do.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeFault {
    /// It does not answer.
    #[error("balancer {balancer} does not answer: cannot {doing}; see the log of its instance")]
    NoAnswer {
        /// The balancer.
        balancer: String,
        /// What was to be done.
        doing: String,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// It took too long.
    #[error("balancer {balancer} did not {doing} within {within:?}; see the log of its instance")]
    Slow {
        /// The balancer.
        balancer: String,
        /// What was to be done.
        doing: String,
        /// The time that it had.
        within: Duration,
    },
    /// It refused a command.
    #[error("balancer {balancer} refuses to {doing}: {answer}")]
    Refused {
        /// The balancer.
        balancer: String,
        /// What was to be done.
        doing: String,
        /// What it answered, without control characters.
        answer: String,
    },
    /// Its files cannot be written.
    #[error("cannot write the files of balancer {balancer}; is its disk full?")]
    Write {
        /// The balancer.
        balancer: String,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// It goes on with its old configuration.
    #[error(
        "balancer {balancer} does not take its configuration; what it has stays in force, see the log of its instance"
    )]
    Reload {
        /// The balancer.
        balancer: String,
    },
}

impl RuntimeFault {
    /// The word in metrics.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NoAnswer { .. } => "no-answer",
            Self::Slow { .. } => "slow",
            Self::Refused { .. } => "refused",
            Self::Write { .. } => "write",
            Self::Reload { .. } => "reload",
        }
    }
}
