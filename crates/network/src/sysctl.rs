//! Settings of interfaces under `/proc/sys/net`.
//!
//! These files belong to the network namespace of the thread that opens them. So open them on a [fresh
//! thread](crate::thread) within that namespace. What was opened stays with that namespace, whoever uses it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use nix::libc::{O_DIRECTORY, O_PATH};

use crate::NetworkError;

/// The directory of all interfaces.
const INTERFACES: &str = "/proc/sys/net/ipv6/conf";

/// The IPv6 settings of the interfaces of one namespace.
///
/// The kernel finds this directory in a list of the directories of all namespaces, which takes 0.1 ms where there are
/// thousands. So it is opened once, and the settings are reached from there.
#[derive(Debug)]
pub(crate) struct Ipv6Settings(File);

impl Ipv6Settings {
    /// Opens those of the calling thread's namespace.
    pub(crate) fn open() -> Result<Self, NetworkError> {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(O_PATH | O_DIRECTORY)
            .open(INTERFACES);
        opened.map(Self).map_err(|source| NetworkError::Refused {
            doing: format!("opening {INTERFACES}"),
            source,
        })
    }

    /// The value of `net.ipv6.conf.INTERFACE.KEY`; `None` when there is none.
    pub(crate) fn read(&self, interface: &str, key: &str) -> Option<String> {
        self.value(interface, key).ok()
    }

    /// Sets `net.ipv6.conf.INTERFACE.KEY`. `all` and `default` count as interfaces.
    ///
    /// A value that is right already is not written, so that a read-only `/proc/sys` does no harm then.
    pub(crate) fn ensure(&self, interface: &str, key: &str, value: &'static str) -> Result<(), NetworkError> {
        let refused = |source| NetworkError::Sysctl {
            key: format!("net.ipv6.conf.{interface}.{key}"),
            value,
            source,
        };
        if self.value(interface, key).map_err(refused)? == value {
            return Ok(());
        }
        fs::write(self.path(interface, key), value).map_err(refused)
    }

    fn value(&self, interface: &str, key: &str) -> io::Result<String> {
        let value = fs::read_to_string(self.path(interface, key))?;
        Ok(value.trim_end().to_owned())
    }

    /// Where a setting is: a path of its own, as the name of an interface may hold the dots that separate a key's parts.
    fn path(&self, interface: &str, key: &str) -> PathBuf {
        let directory = format!("/proc/self/fd/{}", self.0.as_raw_fd());
        [&directory, interface, key].iter().collect()
    }
}
