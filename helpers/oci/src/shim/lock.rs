//! The lock that says that a shim lives.
//!
//! It is a record lock (`fcntl`): the kernel gives it back with the process, however that ends, and names its holder.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::FlockOperation;
use rustix::process::{Flock, FlockType};

use crate::state::Directory;

/// Takes the lock for as long as the file is open.
///
/// # Errors
///
/// When another shim has it.
pub(super) fn take(container: &Directory) -> io::Result<OwnedFd> {
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(container.lock())?;
    rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| io::Error::other("another shim holds it already; try again"))?;
    Ok(file.into())
}

/// The number of the process that has the lock of a container; `None` when nobody has it.
pub(crate) fn holder(container: &Directory) -> io::Result<Option<u32>> {
    let file = match File::options().read(true).write(true).open(container.lock()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let wanted = Flock::from(FlockType::WriteLock);
    let held = rustix::process::fcntl_getlk(&file, &wanted)?;
    Ok(held
        .and_then(|held| held.pid)
        .and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok()))
}
