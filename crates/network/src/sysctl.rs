//! Settings of interfaces under `/proc/sys/net`.
//!
//! These files belong to the network namespace of the thread that opens them. So call these functions on a [fresh
//! thread](crate::thread) within that namespace.

use std::fs;
use std::path::PathBuf;

use crate::NetworkError;

/// The value of `net.ipv6.conf.INTERFACE.KEY` in the namespace of the calling thread; `None` when there is none.
pub(crate) fn read_ipv6(interface: &str, key: &str) -> Option<String> {
    let value = fs::read_to_string(path(interface, key)).ok()?;
    Some(value.trim_end().to_owned())
}

/// Sets `net.ipv6.conf.INTERFACE.KEY`. `all` and `default` count as interfaces.
///
/// A value that is right already is not written, so that a read-only `/proc/sys` does no harm then.
pub(crate) fn ensure_ipv6(interface: &str, key: &str, value: &'static str) -> Result<(), NetworkError> {
    let path = path(interface, key);
    let refused = |source| NetworkError::Sysctl {
        key: format!("net.ipv6.conf.{interface}.{key}"),
        value,
        source,
    };
    if fs::read_to_string(&path).map_err(refused)?.trim_end() == value {
        return Ok(());
    }
    fs::write(&path, value).map_err(refused)
}

/// Where a setting is: a path of its own, as the name of an interface may hold the dots that separate a key's parts.
fn path(interface: &str, key: &str) -> PathBuf {
    ["/proc/sys/net/ipv6/conf", interface, key].iter().collect()
}
