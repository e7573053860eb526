//! The file system of a container: the layers of its image, and over them what it wrote.

use std::fmt::Write;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use rustix::fs::{CWD, Mode, OFlags};

use crate::root::Root;
use crate::state::{Directory, Record};

/// Enters a mount namespace of this thread's own. What is mounted on the host later is seen here; what is mounted here is
/// not seen there.
pub(super) fn leave_mounts() -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let flags = MsFlags::MS_SLAVE | MsFlags::MS_REC;
    Ok(mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)?)
}

/// Mounts the file system of a container, in the mount namespace of this thread.
pub(super) fn mount_rootfs(container: &Directory, record: &Record) -> io::Result<()> {
    let mut handles = Vec::new();
    let options = options(container, record, &mut handles)?;
    // The thread has a working directory of its own, since it left the mounts.
    std::env::set_current_dir("/proc/self/fd")?;
    let (target, kind) = (container.rootfs(), Some("overlay"));
    mount(kind, &target, kind, MsFlags::empty(), Some(options.as_str()))?;
    std::env::set_current_dir("/")
}

/// The directories are named by the numbers of open handles, relative to the directory of these: then an option is short
/// however deep they are, and no name needs to be escaped. The kernel takes at most a page of options.
fn options(container: &Directory, record: &Record, handles: &mut Vec<OwnedFd>) -> io::Result<String> {
    let mut handle = |path: &Path| -> io::Result<String> {
        let opened = rustix::fs::openat(
            CWD,
            path,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        );
        let opened = opened.map_err(|error| {
            let error = io::Error::from(error);
            io::Error::new(error.kind(), format!("cannot open {}: {error}", path.display()))
        })?;
        let name = opened.as_raw_fd().to_string();
        handles.push(opened);
        Ok(name)
    };
    let mut options = "lowerdir=".to_owned();
    // The topmost is the first here.
    let mut layers: Vec<_> = record.image.layers.iter().rev().map(|path| path.as_path()).collect();
    let empty = container.empty();
    if layers.is_empty() {
        layers.push(&empty);
    }
    for (place, layer) in layers.into_iter().enumerate() {
        let separator = if place == 0 { "" } else { ":" };
        let _ = write!(options, "{separator}{}", handle(layer)?);
    }
    let _ = write!(options, ",upperdir={}", handle(&container.upper())?);
    let _ = write!(options, ",workdir={}", handle(&container.work())?);
    Ok(options)
}

/// Does something with the file system of a container that does not run. It is mounted meanwhile, for nobody else.
pub(crate) fn with_mounted<T: Send>(
    container: &Directory,
    record: &Record,
    act: impl FnOnce(&Root) -> io::Result<T> + Send,
) -> io::Result<T> {
    // A thread of its own: its mount namespace ends with it.
    std::thread::scope(|scope| {
        let mounted = scope.spawn(|| {
            leave_mounts()?;
            mount_rootfs(container, record)?;
            let done = Root::open(&container.rootfs()).and_then(|root| act(&root));
            let unmounted = umount2(&container.rootfs(), MntFlags::MNT_DETACH);
            done.and_then(|done| unmounted.map(|()| done).map_err(io::Error::from))
        });
        mounted
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that mounted it ended early")))
    })
}
