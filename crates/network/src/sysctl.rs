//! Settings of interfaces under `/proc/sys/net`.
//!
//! These files belong to the network namespace of the thread that opens them. So open them on a [fresh
//! thread](crate::thread) within that namespace. What was opened stays with that namespace, whoever uses it.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::NetworkError;

/// The directory of all interfaces, below `/proc`.
const INTERFACES: &str = "sys/net/ipv6/conf";

/// The IPv6 settings of the interfaces of one namespace.
///
/// The directory is opened once, as finding it takes the kernel long where there are thousands of namespaces. The
/// settings are reached from there.
#[derive(Debug)]
pub(crate) struct Ipv6Settings(OwnedFd);

impl Ipv6Settings {
    /// Opens those of the calling thread's namespace, by the machine's `/proc`.
    pub(crate) fn open() -> Result<Self, NetworkError> {
        Self::open_at(CWD, &format!("/proc/{INTERFACES}"))
    }

    /// Opens those of the calling thread's namespace, by another mount of the kernel's `proc`.
    pub(crate) fn open_by(proc: impl AsFd) -> Result<Self, NetworkError> {
        Self::open_at(proc, INTERFACES)
    }

    fn open_at(place: impl AsFd, path: &str) -> Result<Self, NetworkError> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = openat(place, path, flags, Mode::empty());
        opened.map(Self).map_err(|source| NetworkError::Refused {
            doing: format!("opening {path}"),
            source: source.into(),
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
