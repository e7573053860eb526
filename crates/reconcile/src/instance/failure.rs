//! Why an instance could not be brought to answer.

use std::fmt;
use std::net::Ipv6Addr;
use std::time::Duration;

use orchestrator_host::{ContainerName, EnsureFault, HostError, NoAnswer, Remedy};

use super::machine::Shortfall;
use crate::images::PinFault;
use orchestrator_model::{HostId, Instance};

/// Tries to wire an instance that may fail for a reason that passes, before its containers are stopped.
///
/// They take about half a minute, which is longer than a network takes that is set up anew.
pub(super) const PATIENT_TRIES: u32 = 6;

/// Why an instance could not be brought to answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("host {0} is not known to this daemon; it is needed to run this instance")]
    UnknownHost(HostId),
    #[error("no host was chosen for it yet")]
    NoHost,
    #[error("its own files cannot be had: {0}")]
    OwnFiles(String),
    #[error("it runs, and its rules in the packet filter are not in force: {0}")]
    Rules(String),
    #[error(transparent)]
    Host(HostError),
    #[error(transparent)]
    Image(PinFault),
    #[error(
        "engine {engine} has no image {digest} any more, to which template {template}, version {version}, is pinned for \
         {image:?}; load or fetch that image again, or run `orchestrator template update {template}`, which pins new \
         instances to what {image:?} is now"
    )]
    PinnedImageGone {
        template: String,
        version: u64,
        image: String,
        digest: String,
        engine: String,
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
}

/// The fate of an instance that does not answer.
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
    /// The engine did not report whether it runs.
    Unknown,
}

impl Failure {
    /// The daemon has no way to the host of an instance.
    pub(super) fn unknown_host(instance: &Instance) -> Self {
        instance.host.clone().map_or(Self::NoHost, Self::UnknownHost)
    }

    /// A stable word for counters.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::UnknownHost(_) => "unknown-host",
            Self::NoHost => "no-host",
            Self::OwnFiles(_) => "own-files",
            Self::Rules(_) => "no-rules",
            Self::Host(fault) => fault.code(),
            Self::Image(_) => "image-going",
            Self::PinnedImageGone { .. } => "pinned-image-gone",
            Self::Silent { .. } => "not-answering",
        }
    }

    /// The name of the container whose last output may say why: it ended, or it does not answer.
    pub(super) fn speaks(&self) -> Option<&str> {
        match self {
            Self::Host(HostError::Ensure(EnsureFault::Ended { container, .. })) => Some(container.name.as_str()),
            Self::Silent { .. } => Some(ContainerName::MAIN_TEXT),
            _ => None,
        }
    }

    /// The kind of failure for the state machine.
    pub(super) fn shortfall(&self) -> Shortfall {
        match self {
            Self::Rules(_) => Shortfall::Rules,
            Self::Host(fault) if matches!(fault.remedy(), Remedy::Engine | Remedy::Host) => Shortfall::Engine,
            Self::Host(HostError::Ensure(EnsureFault::AwaitsAddress { .. })) => Shortfall::Address,
            Self::Silent { .. } => Shortfall::Silent,
            _ => Shortfall::Other,
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
    use super::*;

    #[test]
    fn only_what_runs_is_said_to_be_left_running() {
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
