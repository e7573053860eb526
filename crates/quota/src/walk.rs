//! Measures a directory by reading all of it.

use std::collections::HashSet;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;

/// Bytes of one of the blocks that a file says it takes.
const BLOCK: u64 = 512;

/// A directory on the way down.
struct Level {
    name: CString,
    device: u64,
    inode: u64,
    /// The directories in it that are still to be read.
    left: Vec<CString>,
}

/// The bytes on the disk of everything in a directory. Links are not followed, other file systems are not entered, and
/// a file with several names counts once. Only one directory is open at a time, so no depth is too deep.
///
/// # Errors
///
/// When the directory cannot be opened, or the disk fails. What vanishes meanwhile is left out.
pub(crate) fn measure(top: &Path) -> io::Result<u64> {
    let top = rustix::fs::open(top, flags(), Mode::empty())?;
    let mut walk = Walk {
        device: fstat(&top)?.st_dev,
        seen: HashSet::new(),
        bytes: 0,
    };
    let mut levels = vec![walk.enter(&top, CString::default())?];
    let mut at = top.try_clone()?;
    while let Some(level) = levels.last_mut() {
        if let Some(name) = level.left.pop() {
            match openat(&at, &name, flags(), Mode::empty()) {
                Ok(inner) => {
                    levels.push(walk.enter(&inner, name)?);
                    at = inner;
                }
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ACCESS) => {}
                Err(fault) => return Err(fault.into()),
            }
            continue;
        }
        levels.pop();
        if let Some(above) = levels.last() {
            at = match openat(&at, c"..", flags(), Mode::empty()) {
                Ok(found) if is_at(&found, above)? => found,
                _ => descend(&top, &mut levels)?,
            };
        }
    }
    Ok(walk.bytes)
}

struct Walk {
    device: u64,
    /// Files with several names that were counted.
    seen: HashSet<u64>,
    bytes: u64,
}

impl Walk {
    /// Counts what is in an open directory, and finds the directories in it.
    fn enter(&mut self, directory: &OwnedFd, name: CString) -> io::Result<Level> {
        let found = fstat(directory)?;
        self.count(&found);
        let mut left = Vec::new();
        for entry in Dir::read_from(directory)? {
            let entry = match entry {
                Ok(entry) => entry,
                Err(Errno::NOENT) => break,
                Err(fault) => return Err(fault.into()),
            };
            if matches!(entry.file_name().to_bytes(), b"." | b"..") {
                continue;
            }
            let found = match statat(directory, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) => found,
                Err(Errno::NOENT) => continue,
                Err(fault) => return Err(fault.into()),
            };
            if found.st_dev != self.device {
                continue;
            }
            match FileType::from_raw_mode(found.st_mode) {
                // Counted when it is entered.
                FileType::Directory => left.push(entry.file_name().to_owned()),
                _ => self.count(&found),
            }
        }
        Ok(Level {
            name,
            device: found.st_dev,
            inode: found.st_ino,
            left,
        })
    }

    fn count(&mut self, found: &Stat) {
        let is_directory = FileType::from_raw_mode(found.st_mode) == FileType::Directory;
        if is_directory || found.st_nlink < 2 || self.seen.insert(found.st_ino) {
            let blocks = u64::try_from(found.st_blocks).unwrap_or(0);
            self.bytes = self.bytes.saturating_add(blocks.saturating_mul(BLOCK));
        }
    }
}

/// Goes down to the last level from the top, because somebody moved a directory meanwhile. What is not where it was is
/// left out, with all below it.
fn descend(top: &OwnedFd, levels: &mut Vec<Level>) -> io::Result<OwnedFd> {
    let mut at = top.try_clone()?;
    let mut reached = 1;
    for level in levels.iter().skip(1) {
        match openat(at.as_fd(), &level.name, flags(), Mode::empty()) {
            Ok(found) if is_at(&found, level)? => at = found,
            _ => break,
        }
        reached += 1;
    }
    levels.truncate(reached);
    Ok(at)
}

fn is_at(found: &OwnedFd, level: &Level) -> io::Result<bool> {
    let found = fstat(found)?;
    Ok((found.st_dev, found.st_ino) == (level.device, level.inode))
}

fn flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, symlink};
    use std::path::PathBuf;

    use super::*;

    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("orchestrator-walk-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// What a file or directory itself takes.
    fn taken(path: &Path) -> u64 {
        fs::symlink_metadata(path).unwrap().blocks() * BLOCK
    }

    #[test]
    fn every_file_counts_once_and_nothing_that_a_link_names() {
        let place = Place::new("once");
        let (top, outside) = (place.0.join("top"), place.0.join("outside"));
        fs::create_dir_all(top.join("a/b")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("large"), vec![1; 3 << 20]).unwrap();
        let empty = measure(&top).unwrap();
        fs::write(top.join("a/b/file"), vec![1; 1 << 20]).unwrap();
        fs::hard_link(top.join("a/b/file"), top.join("again")).unwrap();
        symlink(&outside, top.join("a/directory")).unwrap();
        symlink(outside.join("large"), top.join("a/file")).unwrap();
        let links = taken(&top.join("a/directory")) + taken(&top.join("a/file"));
        assert_eq!(measure(&top).unwrap(), empty + taken(&top.join("again")) + links);
        // A hole takes nothing.
        let file = fs::File::create(top.join("hole")).unwrap();
        file.set_len(1 << 30).unwrap();
        assert!(measure(&top).unwrap() < 2 << 20);
        assert!(measure(&top.join("a/directory")).is_err());
        assert!(measure(&top.join("none")).is_err());
    }

    #[test]
    fn a_tree_that_is_deeper_than_any_path_is_measured() {
        let place = Place::new("deep");
        let (one, other) = (place.0.join("one"), place.0.join("other"));
        fs::create_dir(&one).unwrap();
        fs::write(one.join("file"), vec![1; 1 << 20]).unwrap();
        // Built from the bottom, so that no path gets long.
        for _ in 0..2500 {
            fs::create_dir(&other).unwrap();
            fs::rename(&one, other.join("d")).unwrap();
            fs::write(other.join("e"), "x").unwrap();
            fs::rename(&other, &one).unwrap();
        }
        assert!(measure(&one).unwrap() >= (1 << 20) + 2500);
        // Nothing else can remove it: each directory is moved up before the one above it goes.
        while one.join("d").exists() {
            fs::rename(one.join("d"), &other).unwrap();
            fs::remove_dir_all(&one).unwrap();
            fs::rename(&other, &one).unwrap();
        }
    }

    #[test]
    fn what_is_moved_while_it_is_measured_does_not_lead_out_or_end_the_measurement() {
        let place = Place::new("moved");
        let top = place.0.join("top");
        fs::create_dir_all(top.join("a/b/c")).unwrap();
        let open = rustix::fs::open(&top, flags(), Mode::empty()).unwrap();
        let level = |path: &Path, name: &str| {
            let found = fs::metadata(path).unwrap();
            Level {
                name: CString::new(name).unwrap(),
                device: found.dev(),
                inode: found.ino(),
                left: Vec::new(),
            }
        };
        let mut levels = vec![
            level(&top, ""),
            level(&top.join("a"), "a"),
            level(&top.join("a/b"), "b"),
        ];
        fs::rename(top.join("a/b"), place.0.join("elsewhere")).unwrap();
        let at = descend(&open, &mut levels).unwrap();
        assert_eq!(levels.len(), 2);
        assert!(is_at(&at, &levels[1]).unwrap());
    }
}
