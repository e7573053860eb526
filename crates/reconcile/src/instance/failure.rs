//! Why an instance could not be brought to answer.

use std::fmt;
use std::net::Ipv6Addr;
use std::time::Duration;

use orchestrator_network::NetworkError;
use orchestrator_plugin::{EngineError, Remedy};

use super::environment::ValueError;
use super::machine::Shortfall;
use super::probe::NoAnswer;
use orchestrator_model::InstanceId;

/// Tries to wire an instance that may fail for a reason that passes, before its container is stopped.
///
/// They take about half a minute, which is longer than a network takes that is set up anew.
const PATIENT_TRIES: u32 = 6;

/// Why an instance could not be brought to answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("engine {0:?} is not in the settings of this daemon; it is needed to run this instance")]
    UnknownEngine(String),
    #[error(transparent)]
    Environment(#[from] ValueError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("its first process ended{} before it answered; see the engine's log of container orchestrator-{id}",
        code.map(|code| format!(" with exit code {code}")).unwrap_or_default())]
    Ended { id: InstanceId, code: Option<i64> },
    #[error("it could not be wired; {fate}")]
    Wiring {
        fate: Unwired,
        #[source]
        source: NetworkError,
    },
    #[error("it does not answer on TCP port {port} of {address} within {within:?}; {fate}")]
    Silent {
        address: Ipv6Addr,
        port: u16,
        within: Duration,
        fate: Unanswering,
        #[source]
        source: NoAnswer,
    },
    #[error("this machine cannot reach {address}, so that nobody knows whether it answers; see to link {link}")]
    NotReached {
        address: Ipv6Addr,
        link: String,
        #[source]
        source: NoAnswer,
    },
}

/// What becomes of an instance that cannot be wired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unwired {
    /// Nothing yet: the reason may pass by itself.
    Left,
    /// It does not run until it can be wired.
    Stopped,
    /// It should not run, and the engine did not stop it.
    NotStopped(String),
}

/// What becomes of an instance that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unanswering {
    /// It runs on.
    Left,
    /// It is restarted.
    Restarted {
        /// Which restart it is.
        nth: u32,
        /// How many there may be.
        of: u32,
    },
    /// It runs on, as this daemon has not seen it answer on this port.
    NotSeen,
    /// It was restarted as often as it may be, and runs on.
    GivenUp {
        /// Restarts there were.
        after: u32,
    },
    /// The engine did not tell whether it runs.
    Unknown,
}

impl Failure {
    /// A stable word for counters.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::UnknownEngine(_) => "unknown-engine",
            Self::Environment(_) => "no-environment",
            Self::Engine(fault) => fault.code(),
            Self::Ended { .. } => "ended",
            Self::Wiring { source, .. } => match source {
                NetworkError::BridgeFull { .. } => "bridge-full",
                NetworkError::BridgeMissing { .. } => "bridge-missing",
                _ => "wiring-failed",
            },
            Self::Silent { .. } => "not-answering",
            Self::NotReached { .. } => "not-reached",
        }
    }

    /// What kind of failure it is to the state machine.
    pub(super) fn shortfall(&self) -> Shortfall {
        match self {
            Self::Engine(fault) if fault.remedy() == Remedy::Engine => Shortfall::Engine,
            Self::Silent { .. } => Shortfall::Silent,
            _ => Shortfall::Other,
        }
    }
}

/// Whether an instance that could not be wired, after `attempts` failed tries before, is to be stopped.
///
/// At once when somebody must act before it can be wired, so that it does not run without a network for ever.
/// What may pass by itself, such as a bridge that is made anew, has [`PATIENT_TRIES`].
pub(super) fn stops(fault: &NetworkError, attempts: u32) -> bool {
    match fault {
        NetworkError::BridgeFull { .. }
        | NetworkError::NotABridge { .. }
        | NetworkError::NotSeparate { .. }
        | NetworkError::NotANamespace { .. }
        | NetworkError::InsideTaken { .. }
        | NetworkError::InterfaceTaken { .. }
        | NetworkError::NotPermitted { .. }
        | NetworkError::BadPlan { .. } => true,
        _ => attempts.saturating_add(1) >= PATIENT_TRIES,
    }
}

impl fmt::Display for Unwired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => f.write_str("it is tried again"),
            Self::Stopped => f.write_str("it does not run until it can be"),
            Self::NotStopped(reason) => write!(f, "it runs without a network, as it could not be stopped ({reason})"),
        }
    }
}

impl fmt::Display for Unanswering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => f.write_str("it is left running"),
            Self::NotSeen => f.write_str(
                "it is left running, as it has not answered there since the daemon started or its `ready` changed",
            ),
            Self::Restarted { nth, of } => write!(f, "it is restarted ({nth} of {of})"),
            Self::GivenUp { after } => write!(
                f,
                "it was restarted up to {after} times in vain and is left running; `orchestrator rm` ends it"
            ),
            Self::Unknown => f.write_str("the engine does not tell whether it runs"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_needs_somebody_to_act_is_stopped_at_once_and_what_passes_is_not() {
        let full = NetworkError::BridgeFull { bridge: "br0".into() };
        let missing = NetworkError::BridgeMissing { bridge: "br0".into() };
        let no_memory = NetworkError::Refused {
            doing: "making interface or1".into(),
            source: io::ErrorKind::OutOfMemory.into(),
        };
        let gone = NetworkError::NamespaceGone {
            netns: "/proc/1/ns/net".into(),
            source: io::ErrorKind::NotFound.into(),
        };
        assert!(stops(&full, 0));
        for passing in [missing, no_memory, gone] {
            assert!(!stops(&passing, 0), "{passing}");
            assert!(stops(&passing, PATIENT_TRIES), "not for ever: {passing}");
        }
    }

    #[test]
    fn only_what_runs_is_said_to_be_left_running() {
        let id = InstanceId::from_bytes([1; 6]);
        let ended = Failure::Ended { id, code: Some(7) }.to_string();
        assert_eq!(
            ended,
            "its first process ended with exit code 7 before it answered; see the engine's log of container \
             orchestrator-010101010101"
        );
        let silent = |fate| Failure::Silent {
            address: Ipv6Addr::LOCALHOST,
            port: 80,
            within: Duration::from_secs(10),
            fate,
            source: NoAnswer::TimedOut,
        };
        let begin = "it does not answer on TCP port 80 of ::1 within 10s; ";
        for (fate, end) in [
            (Unanswering::Left, "it is left running"),
            (Unanswering::Restarted { nth: 2, of: 5 }, "it is restarted (2 of 5)"),
            (
                Unanswering::GivenUp { after: 5 },
                "it was restarted up to 5 times in vain and is left running; `orchestrator rm` ends it",
            ),
            (Unanswering::Unknown, "the engine does not tell whether it runs"),
        ] {
            assert_eq!(silent(fate).to_string(), format!("{begin}{end}"));
        }
    }
}
