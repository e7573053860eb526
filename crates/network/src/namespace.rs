//! Network namespaces: which is which, and how to enter one.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sched::{CloneFlags, setns};
use nix::sys::statfs::{NSFS_MAGIC, fstatfs};

use crate::NetworkError;

/// An open network namespace; it lives at least as long as this.
#[derive(Debug, Clone)]
pub(crate) struct Namespace {
    file: Arc<File>,
    path: PathBuf,
    id: NamespaceId,
}

/// The identity of a namespace: device and inode of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NamespaceId {
    device: u64,
    inode: u64,
}

impl Namespace {
    /// The calling thread's own namespace.
    pub(crate) fn own() -> Result<Self, NetworkError> {
        Self::open(Path::new("/proc/thread-self/ns/net"))
    }

    /// The namespace at a path such as `/proc/PID/ns/net`.
    ///
    /// # Errors
    ///
    /// [`NamespaceGone`](NetworkError::NamespaceGone) if nothing can be opened there, and
    /// [`NotANamespace`](NetworkError::NotANamespace) if it is something else.
    pub(crate) fn open(path: &Path) -> Result<Self, NetworkError> {
        let gone = |source: io::Error| match source.kind() {
            io::ErrorKind::PermissionDenied => NetworkError::NotPermitted {
                doing: format!("opening network namespace {}", path.display()),
            },
            _ => NetworkError::NamespaceGone {
                netns: path.into(),
                source,
            },
        };
        // Anything but a plain file is not even opened: opening a pipe would wait.
        if !fs::metadata(path).map_err(gone)?.is_file() {
            return Err(NetworkError::NotANamespace { netns: path.into() });
        }
        let file = File::open(path).map_err(gone)?;
        if !is_network_namespace(&file).map_err(gone)? {
            return Err(NetworkError::NotANamespace { netns: path.into() });
        }
        let found = file.metadata().map_err(gone)?;
        let id = NamespaceId {
            device: found.dev(),
            inode: found.ino(),
        };
        Ok(Self {
            file: Arc::new(file),
            path: path.into(),
            id,
        })
    }

    /// Where it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether both are the same namespace.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.id == other.id
    }

    /// Its descriptor, for a netlink attribute; valid while this lives.
    pub(crate) fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Moves the calling thread, which must be a [fresh one](crate::thread) that is used for nothing else.
    pub(crate) fn enter(&self) -> Result<(), NetworkError> {
        setns(&*self.file, CloneFlags::CLONE_NEWNET).map_err(|errno| {
            let netns = self.path.clone();
            match errno {
                Errno::EINVAL => NetworkError::NotANamespace { netns },
                Errno::EPERM => NetworkError::NotPermitted {
                    doing: format!("entering {}", netns.display()),
                },
                other => NetworkError::NamespaceGone {
                    netns,
                    source: io::Error::from(other),
                },
            }
        })
    }
}

/// Whether a file is a network namespace.
///
/// Under `/proc/PID/ns` the link's text has the kind, as in `net:[4026531840]`. A bind mount elsewhere has its own
/// name.
fn is_network_namespace(file: &File) -> io::Result<bool> {
    if fstatfs(file)?.filesystem_type() != NSFS_MAGIC {
        return Ok(false);
    }
    let shown = fs::read_link(format!("/proc/thread-self/fd/{}", file.as_raw_fd()))?;
    Ok(shown.is_absolute() || shown.as_os_str().as_bytes().starts_with(b"net:["))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_namespace_is_itself() {
        let own = Namespace::own().unwrap();
        assert!(own.is(&Namespace::open(Path::new("/proc/self/ns/net")).unwrap()));
    }

    #[test]
    fn what_is_gone_and_what_is_none() {
        let opened = |path: &str| Namespace::open(Path::new(path)).unwrap_err();
        assert!(matches!(
            opened("/proc/self/ns/none"),
            NetworkError::NamespaceGone { .. }
        ));
        assert!(matches!(
            opened("/proc/self/status"),
            NetworkError::NotANamespace { .. }
        ));
        assert!(matches!(
            opened("/proc/self/ns/mnt"),
            NetworkError::NotANamespace { .. }
        ));
        assert!(matches!(opened("/dev"), NetworkError::NotANamespace { .. }));
    }
}
