//! Subvolumes of btrfs, each in a group of quotas of its own.
//!
//! The group of subvolume N is 111/N: level 111 is ours. It counts the subvolume and every subvolume that was made
//! within it, because otherwise a process that may write into it could make a subvolume there that has no limit.

mod groups;
mod ioctl;
mod subvolume;

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use self::ioctl::{CreateSubvolume, call};
use crate::{Enforcement, Obstacle};

pub(crate) use subvolume::Subvolume;

/// The number of the uppermost directory of every subvolume.
const TOP_INODE: u64 = 256;
/// What `statfs` says of btrfs.
const FILE_SYSTEM: u32 = 0x9123_683e;

/// Whether a directory is on btrfs.
pub(crate) fn is_btrfs(directory: &Path) -> io::Result<bool> {
    let kind = rustix::fs::statfs(directory)?.f_type;
    // The type of the field differs by architecture.
    Ok(u32::try_from(kind) == Ok(FILE_SYSTEM))
}

/// Makes an empty subvolume.
pub(crate) fn create(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::from(ErrorKind::InvalidInput));
    };
    let request = CreateSubvolume::new(name.as_bytes());
    let mut request = request.ok_or_else(|| io::Error::from(ErrorKind::InvalidFilename))?;
    call(open(parent)?, &mut request)
}

/// Whether new subvolumes in a directory can be limited.
pub(crate) fn support(directory: &Path) -> io::Result<Enforcement> {
    if !is_btrfs(directory)? {
        return Ok(Enforcement::Missing(Obstacle::FileSystem));
    }
    let groups = groups::Groups::of(&open(directory)?)?;
    Ok(match groups.are_counted() {
        true => Enforcement::Enforced,
        false => Enforcement::Missing(Obstacle::QuotasOff),
    })
}

fn is_subvolume(path: &Path) -> io::Result<bool> {
    let found = fs::symlink_metadata(path)?;
    Ok(found.is_dir() && found.ino() == TOP_INODE && is_btrfs(path)?)
}

fn open(directory: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(directory, flags, Mode::empty())?.into())
}
