//! Network namespaces that are made for instances before their containers.
//!
//! Such a namespace lives for as long as its file, whether anything runs in it or not: the file is a mount of the
//! namespace, as those of `ip netns` are.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

use crate::namespace::Namespace;
use crate::{Network, NetworkError, thread};

/// An open network namespace. The kernel keeps it while this value exists.
#[derive(Debug)]
pub struct HeldNamespace(pub(crate) Namespace);

impl HeldNamespace {
    /// Whether a path leads to this namespace.
    pub fn is_at(&self, path: &Path) -> bool {
        // Both are open now, so equal numbers mean the same namespace.
        Namespace::open(path).is_ok_and(|other| self.0.is(&other))
    }
}

impl Network {
    /// Makes sure that there is a network namespace of its own at `path`, an absolute path. The directory above it is
    /// made when it is missing.
    ///
    /// # Errors
    ///
    /// [`NotPermitted`](NetworkError::NotPermitted) without `CAP_SYS_ADMIN`,
    /// [`NotSeparate`](NetworkError::NotSeparate) when the daemon's own namespace is there.
    pub async fn ensure_namespace(&self, path: &Path) -> Result<(), NetworkError> {
        if let Ok(found) = Namespace::open(path) {
            return self.check_separate(&found);
        }
        let path = path.to_owned();
        // The thread leaves its namespace, and ends with this.
        thread::run(&self.own, move || make(&path)).await
    }

    /// Whether there is a network namespace at `path`.
    pub fn is_namespace(&self, path: &Path) -> bool {
        Namespace::open(path).is_ok()
    }

    /// Opens the network namespace at `path`. It stays until the result is dropped, even if the path goes away.
    ///
    /// # Errors
    ///
    /// [`NamespaceGone`](NetworkError::NamespaceGone) if nothing can be opened there,
    /// [`NotANamespace`](NetworkError::NotANamespace) if it is something else, and
    /// [`NotPermitted`](NetworkError::NotPermitted).
    pub fn hold_namespace(&self, path: &Path) -> Result<HeldNamespace, NetworkError> {
        Namespace::open(path).map(HeldNamespace)
    }

    /// Removes the network namespace at `path`, with all interfaces in it unless something still runs there. One that
    /// is gone already is a success.
    ///
    /// # Errors
    ///
    /// [`NotPermitted`](NetworkError::NotPermitted) without `CAP_SYS_ADMIN`.
    pub async fn remove_namespace(&self, path: &Path) -> Result<(), NetworkError> {
        if !path.exists() {
            return Ok(());
        }
        let path = path.to_owned();
        thread::run(&self.own, move || remove(&path)).await
    }

    /// The network namespaces in a directory, by the names of their files. None when there is no such directory.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read.
    pub fn namespaces_in(&self, directory: &Path) -> Result<Vec<String>, NetworkError> {
        let refused = |source| refused("listing network namespaces in", directory, source);
        let entries = match fs::read_dir(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(refused)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            names.extend(entry.map_err(refused)?.file_name().into_string());
        }
        Ok(names)
    }
}

/// Makes a namespace and mounts it at `path`. The calling thread is in that namespace afterwards.
fn make(path: &Path) -> Result<(), NetworkError> {
    ensure_file(path).map_err(|source| refused("making network namespace", path, source))?;
    unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| failed("making network namespace", path, errno))?;
    let own = PathBuf::from("/proc/thread-self/ns/net");
    mount(Some(&own), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .map_err(|errno| failed("mounting network namespace", path, errno))
}

fn ensure_file(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    }
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

fn remove(path: &Path) -> Result<(), NetworkError> {
    loop {
        match umount2(path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
            // Two daemons may have mounted one over the other.
            Ok(()) => {}
            // It is no mount, or gone.
            Err(Errno::EINVAL | Errno::ENOENT) => break,
            Err(errno) => return Err(failed("unmounting network namespace", path, errno)),
        }
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(refused("removing network namespace", path, error))
        }
        _ => Ok(()),
    }
}

fn failed(doing: &str, path: &Path, errno: Errno) -> NetworkError {
    refused(doing, path, errno.into())
}

fn refused(doing: &str, path: &Path, source: io::Error) -> NetworkError {
    let doing = format!("{doing} {}", path.display());
    match source.kind() {
        io::ErrorKind::PermissionDenied => NetworkError::NotPermitted { doing },
        _ => NetworkError::Refused { doing, source },
    }
}
