//! Paths.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The directory of the helper's state.
#[derive(Debug, Clone)]
pub(crate) struct Place(PathBuf);

impl Place {
    /// The state in this directory, which is made where it is missing.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let place = Self(path.to_owned());
        for directory in [place.containers(), place.removing(), place.volumes()] {
            DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        }
        Ok(place)
    }

    pub(crate) fn containers(&self) -> PathBuf {
        self.0.join("containers")
    }

    pub(crate) fn removing(&self) -> PathBuf {
        self.0.join("removing")
    }

    pub(crate) fn volumes(&self) -> PathBuf {
        self.0.join("volumes")
    }

    pub(crate) fn images(&self) -> PathBuf {
        self.0.join("images")
    }

    /// The directory of a container.
    pub(crate) fn container(&self, reference: &str) -> Directory {
        Directory(self.containers().join(reference))
    }
}

/// The directory of one container.
#[derive(Debug, Clone)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The reference of the container, which the directory is named after. It is the runtime's id for it, too.
    pub(crate) fn reference(&self) -> String {
        let name = self.0.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    pub(crate) fn record(&self) -> PathBuf {
        self.0.join("record.json")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.0.join("state.json")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.0.join("shim.lock")
    }

    pub(crate) fn files(&self) -> PathBuf {
        self.0.join("files.json")
    }

    /// What the container writes, and nothing else: its size can be limited where the file system can limit a directory.
    pub(crate) fn layer(&self) -> PathBuf {
        self.0.join("layer")
    }

    pub(crate) fn upper(&self) -> PathBuf {
        self.layer().join("upper")
    }

    pub(crate) fn work(&self) -> PathBuf {
        self.layer().join("work")
    }

    /// An empty directory: what an image without layers consists of.
    pub(crate) fn empty(&self) -> PathBuf {
        self.0.join("empty")
    }

    pub(crate) fn rootfs(&self) -> PathBuf {
        self.0.join("rootfs")
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.0.join("log")
    }

    /// The runtime's own state of the container.
    pub(crate) fn runtime(&self) -> PathBuf {
        self.0.join("runc")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.0.join("config.json")
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes what a container needs before its record is written.
    pub(crate) fn make(&self, disk: Option<u64>) -> io::Result<()> {
        let private = |path: &Path| DirBuilder::new().mode(0o700).create(path);
        private(&self.0)?;
        match disk {
            // Its file system may be unable to; then it is measured, and the caller ends it when it is too large.
            Some(_) => {
                orchestrator_quota::create(&self.layer())?;
                orchestrator_quota::limit(&self.layer(), disk).map(drop)?;
            }
            None => private(&self.layer())?,
        }
        for path in [self.work(), self.rootfs(), self.logs(), self.empty()] {
            private(&path)?;
        }
        // The root directory of the container has the mode of this one.
        fs::create_dir(self.upper())?;
        fs::set_permissions(self.upper(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
    }
}
