//! Removes the directory of a volume, whatever a container left in it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Makes sure that a directory is gone, with all that it holds. Nobody else may write into it meanwhile.
///
/// A container may nest directories deeper than any path is long, or than there are file descriptors. So nothing
/// descends: the directories in a directory are moved to the top, and then it is empty.
///
/// # Errors
///
/// When the disk fails. What was removed stays removed, and the next call goes on from there.
pub(super) fn remove(top: &Path) -> io::Result<()> {
    match fs::symlink_metadata(top) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return fs::remove_file(top),
        Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(()),
        Err(fault) => return Err(fault),
    }
    if orchestrator_quota::remove(top)? {
        return Ok(());
    }
    let mut moved = 0;
    loop {
        let mut is_empty = true;
        for entry in fs::read_dir(top)? {
            let entry = entry?;
            is_empty = false;
            match entry.file_type()?.is_dir() {
                true => empty(&entry.path(), top, &mut moved)?,
                false => fs::remove_file(entry.path())?,
            }
        }
        if is_empty {
            return fs::remove_dir(top);
        }
    }
}

/// Removes a directory right below the top; the directories in it are moved to the top.
fn empty(directory: &Path, top: &Path, moved: &mut u64) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => move_up(&entry.path(), top, moved)?,
            false => fs::remove_file(entry.path())?,
        }
    }
    fs::remove_dir(directory)
}

/// Gives a directory a name at the top that nothing has.
fn move_up(directory: &Path, top: &Path, moved: &mut u64) -> io::Result<()> {
    loop {
        *moved += 1;
        let free = top.join(format!(".moved-{moved}"));
        match fs::symlink_metadata(&free) {
            Ok(_) => continue,
            Err(fault) if fault.kind() == ErrorKind::NotFound => {}
            Err(fault) => return Err(fault),
        }
        return match fs::rename(directory, &free) {
            // A file system within: it cannot be moved out of itself.
            Err(fault) if fault.kind() == ErrorKind::CrossesDevices => fs::remove_dir_all(directory),
            renamed => renamed,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::local::volumes::tests::Place;

    #[test]
    fn all_of_it_goes_and_nothing_that_a_link_names() {
        let place = Place::new("remove");
        let (top, outside) = (place.path().join("volume"), place.path().join("outside"));
        fs::create_dir_all(top.join("a/b/c")).unwrap();
        fs::create_dir_all(top.join(".moved-1/.moved-2")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "stays").unwrap();
        fs::write(top.join("a/b/file"), "goes").unwrap();
        symlink(&outside, top.join("a/link")).unwrap();
        symlink(&outside, top.join("link")).unwrap();
        nix::unistd::mkfifo(&top.join("a/fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap();
        remove(&top).unwrap();
        remove(&top).unwrap();
        assert!(!top.exists());
        assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "stays");
    }

    #[test]
    fn a_tree_that_is_deeper_than_any_path_goes_too() {
        let place = Place::new("deep");
        let top = place.path().join("volume");
        // Built from the bottom: each directory is moved into a new one, so that no path gets long.
        let (one, other) = (place.path().join("one"), place.path().join("other"));
        fs::create_dir(&one).unwrap();
        for _ in 0..3000 {
            fs::create_dir(&other).unwrap();
            fs::rename(&one, other.join("d")).unwrap();
            fs::rename(&other, &one).unwrap();
        }
        fs::rename(&one, &top).unwrap();
        remove(&top).unwrap();
        assert!(!top.exists());
    }
}
