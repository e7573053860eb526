//! One netlink request: its time limit, and what the kernel's answer means.

use std::future::Future;
use std::io;
use std::time::Duration;

use nix::errno::Errno;
use tokio::time::timeout;

use crate::NetworkError;

/// How long any single wait for netlink may take.
pub const LIMIT: Duration = Duration::from_secs(5);

/// Why a request got no good answer, before it is known what the request was for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The kernel said no.
    Refused(io::Error),
    /// The connection is gone.
    Closed,
    /// No answer within [`LIMIT`].
    TimedOut,
}

impl Failure {
    /// Whether the kernel refused with this error number.
    pub(crate) fn is(&self, errno: Errno) -> bool {
        matches!(self, Self::Refused(source) if source.raw_os_error() == Some(errno as i32))
    }

    /// The error to report, for a request described as in "making bridge br0".
    pub(crate) fn doing(self, doing: impl Into<String>) -> NetworkError {
        let doing = doing.into();
        if self.is(Errno::EPERM) {
            return NetworkError::NotPermitted { doing };
        }
        match self {
            Self::Refused(source) => NetworkError::Refused { doing, source },
            Self::Closed => NetworkError::Closed { doing },
            Self::TimedOut => NetworkError::TimedOut { doing, limit: LIMIT },
        }
    }
}

impl From<rtnetlink::Error> for Failure {
    fn from(error: rtnetlink::Error) -> Self {
        match error {
            rtnetlink::Error::NetlinkError(refusal) => Self::Refused(refusal.to_io()),
            rtnetlink::Error::RequestFailed => Self::Closed,
            other => Self::Refused(io::Error::other(other)),
        }
    }
}

/// Waits for the answer to a request, no longer than [`LIMIT`].
pub(crate) async fn answer<T>(request: impl Future<Output = Result<T, rtnetlink::Error>>) -> Result<T, Failure> {
    match timeout(LIMIT, request).await {
        Ok(answer) => Ok(answer?),
        Err(_elapsed) => Err(Failure::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(errno: Errno) -> Failure {
        Failure::Refused(errno.into())
    }

    #[test]
    fn missing_capability_is_told_apart() {
        let error = refused(Errno::EPERM).doing("making bridge br0");
        assert!(matches!(&error, NetworkError::NotPermitted { doing } if doing == "making bridge br0"));
        assert!(error.to_string().contains("CAP_NET_ADMIN"));
    }

    #[test]
    fn any_other_refusal_keeps_the_kernels_reason() {
        let NetworkError::Refused { source, .. } = refused(Errno::ENOMEM).doing("making bridge br0") else {
            panic!("not a refusal");
        };
        assert_eq!(source.raw_os_error(), Some(Errno::ENOMEM as i32));
    }

    #[test]
    fn a_silent_kernel_is_named() {
        let error = Failure::TimedOut.doing("removing o-1");
        assert_eq!(
            error.to_string(),
            "removing o-1 took longer than 5 s; try again when the machine is less busy"
        );
    }
}
