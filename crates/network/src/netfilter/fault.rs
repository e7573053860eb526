//! What the kernel's answers from netfilter mean.

use std::io;

use nix::errno::Errno;

use super::is_permission;
use crate::NetworkError;

/// The error of a request that the kernel refused.
pub(crate) fn refused(doing: &str, source: io::Error) -> NetworkError {
    match lacks_filter(&source) {
        true => NetworkError::NoFilter {
            reason: format!("{doing} was refused by the kernel: {source}"),
        },
        false if is_permission(&source) => NetworkError::NotPermitted { doing: doing.into() },
        false => NetworkError::Refused {
            doing: doing.into(),
            source,
        },
    }
}

/// Whether the kernel says that it has no nftables.
pub(crate) fn lacks_filter(fault: &io::Error) -> bool {
    let errors = [Errno::EOPNOTSUPP, Errno::EPROTONOSUPPORT, Errno::EAFNOSUPPORT];
    errors.iter().any(|error| fault.raw_os_error() == Some(*error as i32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_nftables_is_told_from_one_that_refuses_a_change() {
        let of = |error: Errno| refused("removing the rules", io::Error::from_raw_os_error(error as i32));
        assert!(matches!(of(Errno::EOPNOTSUPP), NetworkError::NoFilter { .. }));
        assert!(matches!(of(Errno::EPERM), NetworkError::NotPermitted { .. }));
        assert!(matches!(of(Errno::ENOENT), NetworkError::Refused { .. }));
    }
}
