//! Why an instance did not answer.

use std::io;

use super::Remedy;
use crate::HostCapability;

/// Why an instance did not answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Nothing listens there, or what does closed the connection at once.
    #[error("it refuses connections")]
    Refused,
    /// No neighbour has the address.
    #[error("nothing has its address")]
    Unreachable,
    /// Nothing came back.
    #[error("it takes no connection")]
    TimedOut,
    /// The connection was taken, and a process that reacted before does not any more.
    #[error("it takes connections and does nothing with them")]
    Mute,
    /// The fault is on the host: no route, no address, no socket. Nothing is known of the instance.
    #[error("{0}")]
    Local(#[from] io::Error),
    /// The host cannot connect to such a socket.
    #[error("the host cannot {0}")]
    Unsupported(HostCapability),
}

impl NoAnswer {
    /// What a failed connection means for the instance.
    pub(crate) fn of(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Self::Refused,
            io::ErrorKind::HostUnreachable => Self::Unreachable,
            io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Local(error),
        }
    }

    /// What helps.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Unsupported(_) => Remedy::Operator,
            _ => Remedy::Retry,
        }
    }

    /// A stable word for counters and the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "no-connection",
            Self::Mute => "mute",
            Self::Local(_) => "not-reached",
            Self::Unsupported(_) => "host-unsupported",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_this_machine_says_nothing_of_the_instance() {
        for kind in [
            io::ErrorKind::NetworkUnreachable,
            io::ErrorKind::AddrNotAvailable,
            io::ErrorKind::PermissionDenied,
            io::ErrorKind::OutOfMemory,
        ] {
            assert!(matches!(NoAnswer::of(kind.into()), NoAnswer::Local(_)), "{kind}");
        }
        let unreachable = NoAnswer::of(io::ErrorKind::HostUnreachable.into());
        assert!(matches!(unreachable, NoAnswer::Unreachable));
    }
}
