//! Directories whose size is limited and measured, as far as their file system can.
//!
//! On btrfs such a directory is a subvolume in a quota group of its own, and the kernel refuses to write more than the
//! limit into it. On every other file system it is a plain directory: nothing limits it, and its size is found by
//! reading all of it.
//!
//! Project quotas of ext4 and xfs are not used: the owner of a file may move it into another project, which root in a
//! container is, unless it has a user namespace.
//!
//! The calls block. They need `CAP_SYS_ADMIN` to limit; without it a directory is made, and not limited.

mod btrfs;
mod enforcement;
mod walk;

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

pub use enforcement::{Enforcement, Obstacle};

use btrfs::Subvolume;

/// The space that a directory takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes on the disk.
    pub bytes: u64,
    /// The limit that the file system enforces, in bytes; `None` when it enforces none.
    pub limit: Option<u64>,
    /// Why no limit can be enforced. The directory was read as a whole then; otherwise the file system counts by itself.
    pub obstacle: Option<Obstacle>,
}

/// Makes a directory that can be limited later where its file system can limit at all.
///
/// # Errors
///
/// When something is there, or the disk fails.
pub fn create(path: &Path) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    match btrfs::is_btrfs(parent)? {
        true => btrfs::create(path),
        false => fs::create_dir(path),
    }
}

/// Limits the bytes that a directory may take; `None` takes the limit away. A directory that takes more already
/// keeps it, and cannot be written to. Says whether the limit is enforced from now on.
///
/// # Errors
///
/// When there is no such directory, or the disk fails.
pub fn limit(path: &Path, bytes: Option<u64>) -> io::Result<Enforcement> {
    match Subvolume::at(path)? {
        Ok(subvolume) => subvolume.limit(bytes),
        Err(obstacle) => Ok(Enforcement::Missing(obstacle)),
    }
}

/// Measures a directory. Where the file system does not count by itself, this reads the whole directory, and follows no
/// link. What changes meanwhile is counted as it was at some moment.
///
/// # Errors
///
/// When there is no such directory, or the disk fails.
pub fn measure(path: &Path) -> io::Result<Usage> {
    let obstacle = match Subvolume::at(path)? {
        Ok(subvolume) => match subvolume.usage()? {
            Ok(usage) => return Ok(usage),
            Err(obstacle) => obstacle,
        },
        Err(obstacle) => obstacle,
    };
    Ok(Usage {
        bytes: walk::measure(path)?,
        limit: None,
        obstacle: Some(obstacle),
    })
}

/// Removes a directory that is a subvolume, with all that it holds, in one step. `false` when it is a plain directory,
/// which is left alone, or when this process may not remove subvolumes.
///
/// # Errors
///
/// When the disk fails.
pub fn remove(path: &Path) -> io::Result<bool> {
    match Subvolume::at(path) {
        Ok(Ok(subvolume)) => subvolume.remove(),
        Ok(Err(_)) => Ok(false),
        Err(fault) if fault.kind() == ErrorKind::NotFound => Ok(false),
        Err(fault) => Err(fault),
    }
}

/// Whether new directories below a directory can be limited. A directory that is not there yet counts as the nearest one
/// above it.
///
/// # Errors
///
/// When the disk fails.
pub fn support(directory: &Path) -> io::Result<Enforcement> {
    let mut at = directory;
    while let Err(fault) = fs::metadata(at) {
        match at.parent() {
            Some(parent) if fault.kind() == ErrorKind::NotFound => at = parent,
            _ => return Err(fault),
        }
    }
    btrfs::support(at)
}
