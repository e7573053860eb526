//! Checks that the database is still the one that the store opened.
//!
//! A process can go on reading and writing a file that was deleted, and all of that is lost when the process ends. A
//! lease that was committed there is not durable. So a commit counts only if the path still leads to the open file
//! after it, which takes two calls of stat(2).
//!
//! A database on a server has no file that could be checked. It is identified by its `birth`, which is created with it,
//! and by its `beat`, a number that this daemon raises every other second. A database with another birth was created
//! anew, and one with a lower beat was restored to an earlier time.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tokio_util::sync::CancellationToken;

use super::connection::{Session, Tx, fetch_all, statements, within};
use super::url::Target;
use super::{LostCause, StoreError};

statements! {
    FACTS = "select key, value from facts";
}

/// The key of a random value that is made with each database, and with each restored one.
pub(super) const BIRTH: &str = "birth";

/// The key of a number that rises as long as a daemon runs.
pub(super) const BEAT: &str = "beat";

/// The device and number of a file, which identify it.
type FileId = (u64, u64);

/// The identity of the open database, and the faults that were found.
#[derive(Debug)]
pub(super) struct Guard {
    file: Option<(PathBuf, FileId)>,
    /// The file of SQLite's log that the writer has open, if it is known.
    log: Mutex<Option<FileId>>,
    birth: String,
    /// The last beat that was committed.
    beat: AtomicI64,
    /// The reason why the rows belong to another database; `None` if they do not.
    replaced: Mutex<Option<StoreError>>,
    /// The damage that was found. This is permanent.
    damaged: OnceLock<StoreError>,
    /// The other daemon that has taken the lead. This is permanent, too.
    deposed: OnceLock<StoreError>,
    is_deposed: CancellationToken,
}

impl Guard {
    /// Records the identity of the database. Call this after the database was opened.
    pub(super) fn new(target: &Target, facts: &HashMap<String, String>) -> Result<Self, StoreError> {
        let file = match target.file() {
            Some(path) => {
                let id = file_id(path).map_err(|cause| lost(path, cause))?;
                Some((path.to_owned(), id))
            }
            None => None,
        };
        Ok(Self {
            file,
            log: Mutex::default(),
            birth: facts.get(BIRTH).cloned().unwrap_or_default(),
            beat: AtomicI64::new(beat(facts)),
            replaced: Mutex::default(),
            damaged: OnceLock::new(),
            deposed: OnceLock::new(),
            is_deposed: CancellationToken::new(),
        })
    }

    /// Checks that the paths still lead to the files that were opened, and that no check of the rows has failed.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.check_files()?;
        self.replaced().clone().map_or(Ok(()), Err)
    }

    /// Like [`check`](Self::check), and also checks that the database may be written to.
    pub(super) fn check_to_write(&self) -> Result<(), StoreError> {
        self.check()?;
        let lasting = self.deposed.get().or_else(|| self.damaged.get());
        lasting.cloned().map_or(Ok(()), Err)
    }

    /// Waits until another daemon has taken the lead.
    pub(super) async fn deposed(&self) -> StoreError {
        self.is_deposed.cancelled().await;
        let fault = self.deposed.get().cloned();
        fault.unwrap_or(StoreError::closed("look who leads"))
    }

    /// Checks that the path still leads to the file that was opened.
    pub(super) fn check_file(&self) -> Result<(), StoreError> {
        let Some((path, opened)) = &self.file else {
            return Ok(());
        };
        match file_id(path) {
            Ok(id) if id == *opened => Ok(()),
            Ok(_) => Err(StoreError::Lost(LostCause::Replaced(path.clone()))),
            Err(cause) => Err(lost(path, cause)),
        }
    }

    /// Like [`check_file`](Self::check_file), and also checks that SQLite's log is the file that the writer has open.
    pub(super) fn check_files(&self) -> Result<(), StoreError> {
        self.check_file()?;
        let known = *self.log();
        match (known, self.log_path()) {
            (Some(known), Some(path)) => match file_id(&path) {
                Ok(id) if id == known => Ok(()),
                Ok(_) => Err(StoreError::Lost(LostCause::Replaced(path))),
                Err(cause) => Err(lost(&path, cause)),
            },
            _ => Ok(()),
        }
    }

    /// Records the file of SQLite's log, which the writer now has open. It stays the same as long as that is so.
    pub(super) fn learn_log(&self) {
        if let Some(path) = self.log_path() {
            let mut log = self.log();
            *log = log.or_else(|| file_id(&path).ok());
        }
    }

    /// Forgets the file of the log, which may change once the writer closes its connection.
    pub(super) fn forget_log(&self) {
        *self.log() = None;
    }

    fn log_path(&self) -> Option<PathBuf> {
        let mut path = self.file.as_ref()?.0.clone().into_os_string();
        path.push("-wal");
        Some(path.into())
    }

    fn log(&self) -> MutexGuard<'_, Option<FileId>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks that a new connection leads to the database that was opened.
    pub(super) async fn check_session(&self, session: &mut Session) -> Result<(), StoreError> {
        self.check_file()?;
        let read = match session {
            Session::Sqlite(session) => within(DOING, sqlx::query_as(FACTS).fetch_all(session)).await,
            Session::Postgres(session) => within(DOING, sqlx::query_as(FACTS).fetch_all(session)).await,
        };
        self.judge(read).map(drop)
    }

    /// Checks that the rows that a transaction sees belong to the database that was opened. Returns its beat.
    pub(super) async fn check_rows(&self, tx: &mut Tx<'_>) -> Result<i64, StoreError> {
        let read = fetch_all!(tx, "read", (String, String), FACTS);
        self.judge(read)
    }

    fn judge(&self, read: Result<Vec<(String, String)>, StoreError>) -> Result<i64, StoreError> {
        let facts: HashMap<String, String> = match read {
            Ok(facts) => facts.into_iter().collect(),
            // It answers, but does not even have the table.
            Err(StoreError::Failed { .. }) => return Err(self.replaced_by(LostCause::Another)),
            Err(fault) => return Err(fault),
        };
        if facts.get(BIRTH) != Some(&self.birth) {
            return Err(self.replaced_by(LostCause::Another));
        }
        let found = beat(&facts);
        if found < self.beat.load(Ordering::Acquire) {
            return Err(self.replaced_by(LostCause::Earlier));
        }
        *self.replaced() = None;
        Ok(found)
    }

    fn replaced_by(&self, cause: LostCause) -> StoreError {
        let fault = StoreError::Lost(cause);
        *self.replaced() = Some(fault.clone());
        fault
    }

    /// Records a committed beat.
    pub(super) fn beaten(&self, beat: i64) {
        self.beat.fetch_max(beat, Ordering::AcqRel);
    }

    /// Records damage or a new leader. From now on nothing is written.
    pub(super) fn note(&self, fault: &StoreError) {
        // Only the first of each is reported.
        match fault {
            StoreError::Damaged { .. } => {
                let _ = self.damaged.set(fault.clone());
            }
            StoreError::Deposed { .. } => {
                let _ = self.deposed.set(fault.clone());
                self.is_deposed.cancel();
            }
            _ => {}
        }
    }

    fn replaced(&self) -> MutexGuard<'_, Option<StoreError>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.replaced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const DOING: &str = "look whether the database is still the same";

fn beat(facts: &HashMap<String, String>) -> i64 {
    facts.get(BEAT).and_then(|beat| beat.parse().ok()).unwrap_or_default()
}

fn file_id(path: &Path) -> io::Result<FileId> {
    fs::metadata(path).map(|found| (found.dev(), found.ino()))
}

fn lost(path: &Path, cause: io::Error) -> StoreError {
    StoreError::Lost(LostCause::Gone {
        path: path.to_owned(),
        source: std::sync::Arc::new(cause),
    })
}
