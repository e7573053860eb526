//! Makes the directory of a volume.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::Path;

use orchestrator_quota::Enforcement;

use super::remove::remove;
use crate::MountPlan;

/// Makes sure that the volume is there, and limited as far as its file system can. One that is there keeps its owner and
/// its mode: they are its instance's by now.
///
/// # Errors
///
/// When something else is in its place, or the disk fails.
pub(super) fn ensure(root: &Path, plan: &MountPlan) -> io::Result<()> {
    make_root(root)?;
    let path = root.join(plan.volume.to_string());
    match fs::symlink_metadata(&path) {
        Ok(found) if found.is_dir() => return limit(&path, plan),
        Ok(_) => {
            return Err(io::Error::new(
                ErrorKind::NotADirectory,
                "something else is in its place",
            ));
        }
        Err(fault) if fault.kind() == ErrorKind::NotFound => {}
        Err(fault) => return Err(fault),
    }
    // Under another name until it is as it should be: a crash leaves no volume with another owner or mode.
    let part = root.join(format!(".new-{}", plan.volume));
    remove(&part)?;
    orchestrator_quota::create(&part)?;
    limit(&part, plan)?;
    chown(&part, Some(plan.uid), Some(plan.gid))?;
    fs::set_permissions(&part, Permissions::from_mode(plan.mode))?;
    fs::rename(&part, &path)
}

/// Limits a volume. Where that cannot be, it is as large as its instance makes it: `orchestrator volume ls` says so.
fn limit(path: &Path, plan: &MountPlan) -> io::Result<()> {
    if let Enforcement::Missing(obstacle) = orchestrator_quota::limit(path, plan.size)?
        && let Some(size) = plan.size
    {
        tracing::debug!(volume = %plan.volume, size, %obstacle, "the size of a volume is not enforced");
    }
    Ok(())
}

/// The directory of all volumes: nobody but the daemon may look into it.
fn make_root(root: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(root)?;
    let found = fs::symlink_metadata(root)?;
    if !found.is_dir() {
        return Err(io::Error::new(
            ErrorKind::NotADirectory,
            "volumes.directory is no directory",
        ));
    }
    match found.permissions().mode() & 0o7777 {
        0o700 => Ok(()),
        _ => fs::set_permissions(root, Permissions::from_mode(0o700)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::volumes::tests::{Place, mount};

    #[test]
    fn a_volume_is_made_once_in_a_directory_that_is_open_to_nobody_else() {
        let place = Place::new("make");
        let root = place.path().join("a/volumes");
        ensure(&root, &mount(1)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        let path = root.join("010101010101");
        assert_eq!((mode(&root), mode(&path)), (0o700, 0o750));
        fs::write(path.join("file"), "kept").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o711)).unwrap();
        fs::set_permissions(&root, Permissions::from_mode(0o755)).unwrap();
        ensure(&root, &mount(1)).unwrap();
        assert_eq!((mode(&root), mode(&path)), (0o700, 0o711));
        assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "kept");
    }

    #[test]
    fn what_a_crash_left_half_made_is_made_anew_and_something_else_is_left_alone() {
        let place = Place::new("part");
        let root = place.path().to_owned();
        fs::create_dir_all(root.join(".new-010101010101/left")).unwrap();
        ensure(&root, &mount(1)).unwrap();
        let names: Vec<_> = fs::read_dir(&root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["010101010101"]);
        assert_eq!(fs::read_dir(root.join("010101010101")).unwrap().count(), 0);
        std::os::unix::fs::symlink("/", root.join("020202020202")).unwrap();
        assert_eq!(ensure(&root, &mount(2)).unwrap_err().kind(), ErrorKind::NotADirectory);
    }
}
