//! Network namespaces as files: each is a mount, as those of `ip netns` are.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statfs::{NSFS_MAGIC, statfs};
use orchestrator_ahead::Ahead;

/// Where namespaces are, and what is done while one is made.
pub(crate) struct Rooms {
    pub(crate) directory: PathBuf,
    /// Waits for the kernel in the place of a runtime, where this process can.
    pub(crate) ahead: Option<Ahead>,
}

/// Makes the directory, and has its mounts appear also where others have mounts of their own, such as the daemon's unit.
pub(crate) fn prepare(directory: &Path) -> io::Result<()> {
    make_directory(directory)?;
    let shared = || mount(None::<&str>, directory, None::<&str>, MsFlags::MS_SHARED, None::<&str>);
    match shared() {
        Ok(()) => Ok(()),
        // It is no mount of its own yet.
        Err(Errno::EINVAL) => {
            mount(Some(directory), directory, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
            Ok(shared()?)
        }
        Err(errno) => Err(errno.into()),
    }
}

/// Makes a namespace at `path`, unless there is one. The calling thread is in it afterwards.
pub(crate) fn make(site: &Path, path: &Path) -> io::Result<()> {
    make_directory(site)?;
    if is_namespace(path) {
        return Ok(());
    }
    let mut options = OpenOptions::new();
    let options = options.write(true).create(true).truncate(false).mode(0o600);
    options.custom_flags(OFlag::O_NOFOLLOW.bits()).open(path)?;
    unshare(CloneFlags::CLONE_NEWNET)?;
    let own = Path::new("/proc/thread-self/ns/net");
    Ok(mount(Some(own), path, None::<&str>, MsFlags::MS_BIND, None::<&str>)?)
}

/// Removes the namespace at `path`, with its interfaces unless something still runs in it, and its directory with the
/// last one.
pub(crate) fn remove(site: &Path, path: &Path) -> io::Result<()> {
    loop {
        match umount2(path, MntFlags::MNT_DETACH | MntFlags::UMOUNT_NOFOLLOW) {
            // One may be mounted over another.
            Ok(()) => {}
            // It is no mount, or gone.
            Err(Errno::EINVAL | Errno::ENOENT) => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Others of the site may be there.
    let _ = fs::remove_dir(site);
    Ok(())
}

fn make_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o755).create(directory)
}

fn is_namespace(path: &Path) -> bool {
    statfs(path).is_ok_and(|found| found.filesystem_type() == NSFS_MAGIC)
}
