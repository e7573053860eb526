//! The file of the sealing key.
//!
//! Only its owner may read it. It is replaced as a whole, so that a reader finds either the old or the new keys. A
//! writer holds a lock on its directory, so that there is only one at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use orchestrator_runtime::files::{self, Symlinks};
use zeroize::Zeroizing;

use super::{Keys, text};

/// The largest key file, in bytes. A longer file is something else.
const LONGEST: u64 = 4096;

/// How often a held lock is tried, and the pause between two tries. The holder writes one small file, or waits for the
/// database.
const LOCK_TRIES: u32 = 50;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// The path of a key file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFile(PathBuf);

/// Why a key file cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum KeyFileFault {
    /// The operating system cannot read or write it.
    #[error("cannot {doing} the key file {}; see to its permissions and its disk", .path.display())]
    Io {
        /// The operation that failed.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: Arc<io::Error>,
    },
    /// Users other than its owner may read or write it.
    #[error("others than its owner may use the key file {} (mode {mode:o}); chmod 600 it", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Its content is not keys.
    #[error("the key file {} cannot be read: {reason}; put back a copy of it", .path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// The fault of its content.
        reason: &'static str,
    },
    /// Another process writes it.
    #[error("the key file {} is being changed by another process; try again", .0.display())]
    Locked(PathBuf),
}

/// The right to write the key file. Others wait until it is dropped.
#[derive(Debug)]
pub(crate) struct KeyFileLock {
    file: KeyFile,
    /// Held for its lock.
    _directory: File,
}

impl KeyFile {
    /// The key file at an absolute path.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The keys in the file; `None` if there is no file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is open to others, or holds no keys.
    pub fn read(&self) -> Result<Option<Keys>, KeyFileFault> {
        let file = match files::open_regular(OpenOptions::new().read(true), &self.0, Symlinks::Follow) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|source| self.fault("read", source))?,
        };
        let found = file.metadata().map_err(|source| self.fault("read", source))?;
        let mode = found.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let path = self.0.clone();
            return Err(KeyFileFault::Open { path, mode });
        }
        let unreadable = |reason| KeyFileFault::NoKey {
            path: self.0.clone(),
            reason,
        };
        if found.len() > LONGEST {
            return Err(unreadable("it is too long"));
        }
        let bytes = files::read(&self.0, Symlinks::Follow, LONGEST).map_err(|source| self.fault("read", source))?;
        let bytes = Zeroizing::new(bytes);
        let written = str::from_utf8(&bytes).map_err(|_| unreadable("it is no text"))?;
        text::read(written).map(Some).map_err(unreadable)
    }

    /// Waits for the lock for a few seconds at most. Creates the directory if it is missing.
    ///
    /// # Errors
    ///
    /// [`KeyFileFault::Locked`]; when the directory cannot be made or opened.
    pub(crate) fn lock(&self) -> Result<KeyFileLock, KeyFileFault> {
        let fault = |source| self.fault("make", source);
        let parent = self.directory();
        DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(parent)
            .map_err(fault)?;
        let directory = File::open(parent).map_err(fault)?;
        for _ in 0..LOCK_TRIES {
            match directory.try_lock() {
                Ok(()) => {
                    return Ok(KeyFileLock {
                        file: self.clone(),
                        _directory: directory,
                    });
                }
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(fault(error)),
            }
        }
        Err(KeyFileFault::Locked(self.0.clone()))
    }

    fn directory(&self) -> &Path {
        self.0.parent().unwrap_or(Path::new("/"))
    }

    fn fault(&self, doing: &'static str, source: io::Error) -> KeyFileFault {
        KeyFileFault::Io {
            doing,
            path: self.0.clone(),
            source: Arc::new(source),
        }
    }
}

impl KeyFileLock {
    /// The locked file.
    pub(crate) fn file(&self) -> &KeyFile {
        &self.file
    }

    /// Replaces the content of the file by these keys. They are on disk when this returns.
    ///
    /// # Errors
    ///
    /// When the file cannot be written. Then it is as it was.
    pub(crate) fn write(&self, keys: &Keys) -> Result<(), KeyFileFault> {
        self.replace(keys).map_err(|source| self.file.fault("write", source))
    }

    fn replace(&self, keys: &Keys) -> io::Result<()> {
        let path = self.file.path();
        let new = path.with_added_extension("new");
        // A killed process left this. Nobody else writes it now.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(text::write(keys).as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        // The name is on disk once the directory is synchronized.
        File::open(self.file.directory())?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::SealingKey;
    use crate::room::tests::Scratch;

    #[test]
    fn a_file_is_its_owner_s_alone_and_read_only_while_it_is() {
        let scratch = Scratch::new();
        let file = KeyFile::at(&scratch.path().join("deep/er/key"));
        assert_eq!(file.read().unwrap(), None);
        let keys = Keys::one(SealingKey::generate().unwrap());
        file.lock().unwrap().write(&keys).unwrap();
        assert_eq!(fs::metadata(file.path()).unwrap().mode() & 0o7777, 0o600);
        assert_eq!(file.read().unwrap(), Some(keys));
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o640)).unwrap();
        let fault = file.read().unwrap_err();
        assert!(fault.to_string().contains("(mode 640); chmod 600"), "{fault}");
    }

    #[test]
    fn what_a_killed_writer_left_is_in_nobody_s_way() {
        let scratch = Scratch::new();
        let file = KeyFile::at(&scratch.path().join("key"));
        fs::write(scratch.path().join("key.new"), "half").unwrap();
        let keys = Keys::one(SealingKey::generate().unwrap());
        file.lock().unwrap().write(&keys).unwrap();
        assert_eq!(file.read().unwrap(), Some(keys));
        assert!(!scratch.path().join("key.new").exists());
    }

    #[test]
    fn another_file_in_its_place_is_no_key_file() {
        let scratch = Scratch::new();
        let file = KeyFile::at(&scratch.path().join("key"));
        for (content, reason) in [
            (String::new(), "it is empty"),
            ("x".repeat(5000), "it is too long"),
            ("-----BEGIN PRIVATE KEY-----\n".to_owned(), "it is no key file"),
        ] {
            fs::write(file.path(), content).unwrap();
            fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).unwrap();
            let fault = file.read().unwrap_err().to_string();
            assert!(fault.contains(reason) && fault.contains("put back a copy"), "{fault}");
        }
    }
}
