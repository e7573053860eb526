//! The identity file, which has a copy of the identity. With it, a server that lost its database is still the same
//! server to its clients (RFC 9915, section 11), and assigns each the address it had.
//!
//! | | the database is new | the database has an identity |
//! |---|---|---|
//! | no file | a random identity, for both | the identity is copied into the file |
//! | a file | the file's identity, for both | if both are equal, it is used; otherwise the operator has to choose |
//!
//! The file is replaced as a whole, and is on disk before any client is answered. A process that has it open holds a
//! lock on it, so that no two daemons use one identity.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::{ALLOCATION_KEY, Identity, SERVER_DUID};
use crate::{AwayCause, StoreError};
use orchestrator_runtime::files::{self, Symlinks};

/// The first lines of the file, for people who find it.
const HEAD: &str = "\
# Who this orchestrator is to its clients, also without its database. Keep it as secret as the database, and back it up
# with it: with the key one can foresee which addresses clients get.
";
/// The largest identity file, in bytes. A longer file is something else.
const LONGEST: u64 = 4096;

/// The identity file, locked against other daemons.
#[derive(Debug)]
pub(crate) struct IdentityFile {
    path: PathBuf,
    /// Keeps the lock.
    _locked: File,
    identity: Option<Identity>,
}

impl IdentityFile {
    /// Opens and reads the file. Creates an empty one if it is missing.
    ///
    /// # Errors
    ///
    /// `Away` when it cannot be opened, created or locked; [`NotAnIdentity`](StoreError::NotAnIdentity).
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let fault = |source| fault(path, source);
        if let Some(parent) = path.parent() {
            let made = DirBuilder::new().recursive(true).mode(0o750).create(parent);
            made.map_err(fault)?;
        }
        let opened = files::open_regular(options().read(true).truncate(false), path, Symlinks::Follow);
        let mut file = opened.map_err(fault)?;
        lock(&file, path)?;
        let identity = read(&mut file, path)?;
        Ok(Self {
            path: path.to_owned(),
            _locked: file,
            identity,
        })
    }

    /// The identity in the file, if there is one. Changes nothing.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open), except for the lock.
    pub(crate) fn look(path: &Path) -> Result<Option<Identity>, StoreError> {
        match files::open_regular(OpenOptions::new().read(true), path, Symlinks::Follow) {
            Ok(mut file) => read(&mut file, path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(fault(path, error)),
        }
    }

    /// The identity in the file; `None` when the file is new.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Makes sure that the file has the identity of the database.
    ///
    /// # Errors
    ///
    /// [`IdentityDiffers`](StoreError::IdentityDiffers) when it holds another; `Away` when it cannot be written.
    pub(crate) fn keep(self, identity: &Identity) -> Result<Self, StoreError> {
        match &self.identity {
            Some(kept) if kept == identity => Ok(self),
            Some(kept) => Err(StoreError::IdentityDiffers {
                path: self.path,
                kept: kept.server_duid.clone(),
                recorded: identity.server_duid.clone(),
            }),
            None => self.replace(identity),
        }
    }

    /// Replaces the content. The lock is kept: the new file is locked before it gets the name.
    ///
    /// # Errors
    ///
    /// `Away` when it cannot be written.
    pub(crate) fn replace(self, identity: &Identity) -> Result<Self, StoreError> {
        let new = self.path.with_added_extension("new");
        let fault = |source| fault(&self.path, source);
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fault(error)),
            _ => {}
        }
        let file = options().create_new(true).open(&new).map_err(fault)?;
        lock(&file, &self.path)?;
        put_in_place(&file, &new, &self.path, identity).map_err(fault)?;
        tracing::info!(file = %self.path.display(), "the identity is kept");
        Ok(Self {
            identity: Some(identity.clone()),
            path: self.path,
            _locked: file,
        })
    }
}

/// Writes the identity into the file `new`, and renames it to `path`.
fn put_in_place(mut file: &File, new: &Path, path: &Path, identity: &Identity) -> io::Result<()> {
    file.write_all(text(identity).as_bytes())?;
    file.sync_all()?;
    fs::rename(new, path)?;
    // The name is on disk once the directory is synchronized.
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// The options of new files: only their owner may read them.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).mode(0o600);
    options
}

/// How often a held lock is tried. A daemon that is just ending may still have it, and so may a process that it has
/// just started, until that runs its own program.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

fn lock(file: &File, path: &Path) -> Result<(), StoreError> {
    for _ in 1..LOCK_TRIES {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(fault(path, error)),
            Ok(()) => return Ok(()),
        }
    }
    file.try_lock().map_err(|error| match error {
        TryLockError::Error(error) => fault(path, error),
        TryLockError::WouldBlock => StoreError::Away {
            doing: "keep the identity",
            source: AwayCause::Held(path.to_owned()),
        },
    })
}

fn read(file: &mut File, path: &Path) -> Result<Option<Identity>, StoreError> {
    let mut bytes = Vec::new();
    let read = file.take(LONGEST + 1).read_to_end(&mut bytes);
    read.map_err(|error| fault(path, error))?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let unreadable = |reason: &'static str| StoreError::NotAnIdentity {
        path: path.to_owned(),
        reason,
    };
    let text = String::from_utf8(bytes).map_err(|_| unreadable("it is no text"))?;
    let facts: HashMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    Identity::read(&facts).map(Some).map_err(|key| {
        unreadable(match key {
            ALLOCATION_KEY => "its allocation-key is missing or no 32 hexadecimal digits",
            SERVER_DUID => "its server-duid is missing or no DUID",
            _ => "its site is missing or no 12 hexadecimal digits",
        })
    })
}

fn text(identity: &Identity) -> String {
    let lines = identity.facts().map(|(key, value)| format!("{key} = {value}\n"));
    HEAD.to_owned() + &lines.concat()
}

fn fault(path: &Path, source: io::Error) -> StoreError {
    StoreError::Away {
        doing: "keep the identity",
        source: AwayCause::File {
            path: path.to_owned(),
            source: Arc::new(source),
        },
    }
}
