//! Why an instance could not be brought to answer.

use std::fmt;
use std::net::Ipv6Addr;
use std::time::Duration;

use orchestrator_network::NetworkError;
use orchestrator_plugin::{ContainerKey, EngineError, InstanceId};

use super::{Cause, NoAnswer, Remedy, ValueError};
use crate::AttachmentPlan;

/// Why an instance could not be brought to answer.
#[derive(Debug, thiserror::Error)]
pub enum EnsureFault {
    /// The host, an engine or the plan is at fault.
    #[error(transparent)]
    Cause(Cause),
    /// The first process of a container ended while the instance was brought up.
    #[error("its first process ended{} before it answered; `orchestrator log {}` shows its last output",
        code.map(|code| format!(" with exit code {code}")).unwrap_or_default(), container.instance)]
    Ended {
        /// The container.
        container: ContainerKey,
        /// Its exit code, where it ever ran.
        code: Option<i64>,
    },
    /// An attachment could not be wired.
    #[error("it could not be wired; {fate}")]
    NotWired {
        /// The fate of the instance.
        fate: Unwired,
        /// Why.
        #[source]
        source: NetworkError,
    },
    /// It runs and is wired, and has no address yet on a network.
    #[error("it waits for its address on {bridge} (interface {interface}); it is ready once that is given")]
    AwaitsAddress {
        /// The bridge.
        bridge: String,
        /// The name of the interface inside.
        interface: String,
    },
    /// It runs, is wired, and did not answer in time.
    #[error("it does not answer on TCP port {port} of {address} within {within:?}")]
    Silent {
        /// The address that was tried.
        address: Ipv6Addr,
        /// The TCP port that was tried.
        port: u16,
        /// How long it was tried.
        within: Duration,
        /// Whether the engine reported afterwards that it still runs.
        runs: bool,
        /// The result of the last try.
        #[source]
        source: NoAnswer,
    },
    /// The host could not even try.
    #[error("this machine cannot reach {address}, so that nobody knows whether it answers; see to link {network}")]
    NotReached {
        /// The address.
        address: Ipv6Addr,
        /// The network through which it was to be reached.
        network: String,
        /// Why.
        #[source]
        source: NoAnswer,
    },
}

/// The fate of an instance that cannot be wired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unwired {
    /// Nothing yet: the reason may pass by itself.
    Left,
    /// It does not run until it can be wired.
    Stopped,
    /// It should not run, and the engine did not stop it, for this reason.
    NotStopped(String),
}

/// Why an instance that another scheduler starts could not be taken over.
#[derive(Debug, thiserror::Error)]
pub enum AdoptFault {
    /// It does not run here.
    #[error("instance {0} does not run on this host; its scheduler has not started it yet, or elsewhere")]
    NotHere(InstanceId),
    /// It runs here, and could not be brought to answer.
    #[error(transparent)]
    Ensure(#[from] EnsureFault),
}

impl EnsureFault {
    /// Fails for the first attachment whose address is pending.
    pub(crate) fn of_pending(attachments: &[AttachmentPlan]) -> Result<(), Self> {
        match attachments.iter().find(|attachment| attachment.address.is_none()) {
            None => Ok(()),
            Some(pending) => Err(Self::AwaitsAddress {
                bridge: pending.bridge.clone(),
                interface: pending.interface.clone(),
            }),
        }
    }

    /// What helps.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Cause(cause) => cause.remedy(),
            Self::Ended { .. }
            | Self::NotWired { .. }
            | Self::AwaitsAddress { .. }
            | Self::Silent { .. }
            | Self::NotReached { .. } => Remedy::Retry,
        }
    }

    /// A stable word for counters and the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Cause(cause) => cause.code(),
            Self::Ended { .. } => "ended",
            Self::NotWired { source, .. } => match source {
                NetworkError::BridgeFull { .. } => "bridge-full",
                NetworkError::BridgeMissing { .. } => "bridge-missing",
                _ => "wiring-failed",
            },
            Self::Silent { .. } => "not-answering",
            Self::AwaitsAddress { .. } => "awaits-address",
            Self::NotReached { .. } => "not-reached",
        }
    }

    /// The bridge that has no port left, when that is why it could not be wired.
    pub fn full_bridge(&self) -> Option<&str> {
        match self {
            Self::NotWired {
                source: NetworkError::BridgeFull { bridge },
                ..
            } => Some(bridge),
            _ => None,
        }
    }
}

impl AdoptFault {
    /// What helps.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::NotHere(_) => Remedy::Retry,
            Self::Ensure(fault) => fault.remedy(),
        }
    }

    /// A stable word for counters and the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotHere(_) => "not-here",
            Self::Ensure(fault) => fault.code(),
        }
    }
}

impl From<Cause> for EnsureFault {
    fn from(cause: Cause) -> Self {
        Self::Cause(cause)
    }
}

impl From<EngineError> for EnsureFault {
    fn from(fault: EngineError) -> Self {
        Self::Cause(fault.into())
    }
}

impl From<ValueError> for EnsureFault {
    fn from(fault: ValueError) -> Self {
        Self::Cause(fault.into())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ended_says_how_and_where_its_output_is() {
        let container = ContainerKey::main(InstanceId::from_bytes([1; 6]));
        let ended = EnsureFault::Ended {
            container,
            code: Some(7),
        };
        assert_eq!(
            ended.to_string(),
            "its first process ended with exit code 7 before it answered; `orchestrator log 010101010101` shows its last \
             output"
        );
    }

    #[test]
    fn only_a_full_bridge_is_told_apart() {
        let wiring = |source| EnsureFault::NotWired {
            fate: Unwired::Left,
            source,
        };
        let full = wiring(NetworkError::BridgeFull { bridge: "br0".into() });
        let missing = wiring(NetworkError::BridgeMissing { bridge: "br0".into() });
        assert_eq!((full.full_bridge(), missing.full_bridge()), (Some("br0"), None));
    }
}
