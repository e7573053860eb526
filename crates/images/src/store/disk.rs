//! Files of the store, which are written completely or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use tracing::warn;

use super::Store;
use crate::ImageError;

pub(super) const IMAGES: &str = "images";
pub(super) const LAYERS: &str = "layers";
pub(super) const HOLDS: &str = "holds";
pub(super) const WORK: &str = "work";
pub(super) const LOCK: &str = "lock";
pub(super) const INDEX: &str = "index.json";

/// A directory in `work/` that is removed when it is dropped.
#[derive(Debug)]
pub(super) struct Workspace(PathBuf);

impl Workspace {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            warn!(path = %self.0.display(), %error, "a directory of the image store is left; it is removed at the next start");
        }
    }
}

impl Store {
    /// A new directory for incomplete files.
    pub(super) fn workspace(&self) -> Result<Workspace, ImageError> {
        let path = self.work_name();
        make_private(&path).map_err(ImageError::store("make directory", &path))?;
        Ok(Workspace(path))
    }

    /// An unused path in `work/`.
    pub(super) fn work_name(&self) -> PathBuf {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.path(WORK).join(number.to_string())
    }

    /// Writes a file to `place` in one step. It is on disk when this returns.
    pub(super) fn write_whole(&self, place: &Path, bytes: &[u8]) -> Result<(), ImageError> {
        let under_way = self.work_name();
        let write = || -> io::Result<()> {
            let mut file = File::create_new(&under_way)?;
            file.set_permissions(Permissions::from_mode(0o600))?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&under_way, place)?;
            place.parent().map_or(Ok(()), sync_directory)
        };
        write().map_err(ImageError::store("write", place))
    }
}

/// Creates a directory that only its owner can enter, because files of images keep their set-user bits.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && fs::symlink_metadata(path)?.is_dir() => {
            fs::set_permissions(path, Permissions::from_mode(0o700))
        }
        outcome => outcome,
    }
}

/// Synchronizes the names of a directory to disk.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
