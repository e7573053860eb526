//! The spool: a directory in which hooks keep events that the daemon could not record.
//!
//! Each event is a file `TIME-PID-COUNT.json`, so that the names sort in the order in which the events were kept. A
//! file is written under a name that readers ignore, synchronized and renamed, and then its directory is synchronized.
//! So a reader sees only whole events, and an event that [`Spool::keep`] took survives a power cut. Any number of hooks
//! may write while the daemon reads. A file that is not regular or cannot be read is renamed to `.bad`, and blocks no
//! other.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::DnsmasqEvent;
use orchestrator_runtime::files::{self, Symlinks};

/// The largest event, in bytes.
pub(super) const LARGEST: usize = 4096;

/// The largest number of files in the spool. It is enough for many times the leases of a full bridge. Together with
/// [`LARGEST`] it limits the use of the disk.
const MOST: usize = 16_384;

/// The age at which an unfinished file counts as left by a killed hook: no hook takes so long to write.
const ABANDONED: Duration = Duration::from_secs(60);

const EVENT: &str = "json";
const UNFINISHED: &str = "tmp";
const BAD: &str = "bad";

/// The number of names that are tried for a file that is set aside. Existing files are evidence too, and not replaced.
const NAMES_ASIDE: u32 = 16;

/// The spool directory. Clones share what they have logged.
#[derive(Debug, Clone)]
pub struct Spool {
    directory: PathBuf,
    most: usize,
    complaints: Arc<Complaints>,
}

/// The files that could not be read. Each is counted and logged once.
#[derive(Debug, Default)]
struct Complaints {
    count: AtomicU64,
    /// The files that could not even be renamed.
    stuck: Mutex<HashSet<PathBuf>>,
}

/// An event in the spool.
#[derive(Debug)]
pub struct Spooled {
    /// The event.
    pub event: DnsmasqEvent,
    path: PathBuf,
}

/// The reason why the spool could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// The operating system refused.
    #[error("could not {verb} {path}; is the disk full, or the directory another's?")]
    Io {
        /// The operation that failed.
        verb: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The event is larger than any real one.
    #[error("the event has {0} bytes, more than the spool takes")]
    TooLarge(usize),
    /// The spool is full.
    #[error("{path} holds {count} events and takes no more; start the daemon, which empties it")]
    Full {
        /// The directory.
        path: PathBuf,
        /// The number of its files.
        count: usize,
    },
}

impl Spool {
    /// The spool in this directory, which is created when the first event is kept.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            most: MOST,
            complaints: Arc::default(),
        }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The number of files that could not be read as events since the last call.
    pub fn take_set_aside(&self) -> u64 {
        self.complaints.count.swap(0, Ordering::Relaxed)
    }

    /// Keeps an event. It is on disk when this returns.
    ///
    /// # Errors
    ///
    /// When the spool is full or the disk fails. Then the event is lost. Older events are not deleted for it, because
    /// only dnsmasq could repeat them.
    pub fn keep(&self, event: &DnsmasqEvent) -> Result<(), SpoolError> {
        let text = serde_json::to_vec(event).unwrap_or_default();
        if text.is_empty() || text.len() > LARGEST {
            return Err(SpoolError::TooLarge(text.len()));
        }
        ensure_directory(&self.directory).map_err(io("make", &self.directory))?;
        let count = self.names()?.len();
        if count >= self.most {
            return Err(SpoolError::Full {
                path: self.directory.clone(),
                count,
            });
        }
        let unfinished = self.directory.join(name(UNFINISHED));
        write_synced(&unfinished, &text).map_err(io("write", &unfinished))?;
        let path = unfinished.with_extension(EVENT);
        fs::rename(&unfinished, &path).map_err(io("rename", &unfinished))?;
        sync_directory(&self.directory).map_err(io("sync", &self.directory))
    }

    /// The first `most` events, in the order in which they were kept. A missing spool counts as empty.
    ///
    /// An event that is kept during the call may or may not be among them. Events have times, so their order is known.
    ///
    /// Renames files that are not regular or cannot be read, and removes unfinished files of killed hooks. A file that
    /// cannot be renamed is logged once and skipped.
    ///
    /// # Errors
    ///
    /// When the directory cannot be read.
    pub fn pending(&self, most: usize) -> Result<Vec<Spooled>, SpoolError> {
        let mut names = self.names()?;
        names.sort();
        self.complaints.forget_removed();
        let mut pending = Vec::new();
        for name in names {
            let path = self.directory.join(name);
            match path.extension().and_then(|extension| extension.to_str()) {
                Some(EVENT) if pending.len() < most => pending.extend(self.read_or_set_aside(path)),
                Some(UNFINISHED) => remove_abandoned(&path),
                _ => {}
            }
        }
        Ok(pending)
    }

    /// Removes an event that the daemon has recorded. A missing file counts as success.
    ///
    /// # Errors
    ///
    /// When the file cannot be removed. Then the event will be read again.
    pub fn remove(&self, spooled: Spooled) -> Result<(), SpoolError> {
        match fs::remove_file(&spooled.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io("remove", &spooled.path)(error)),
            _ => Ok(()),
        }
    }

    /// Reads an event; `None` if it is gone or was set aside.
    fn read_or_set_aside(&self, path: PathBuf) -> Option<Spooled> {
        match read_event(&path) {
            Ok(event) => Some(Spooled { event, path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(fault) => {
                self.complaints.set_aside(path, &fault);
                None
            }
        }
    }

    fn names(&self) -> Result<Vec<PathBuf>, SpoolError> {
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(io("read", &self.directory))?,
        };
        let names: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.file_name().into())).collect();
        names.map_err(io("read", &self.directory))
    }
}

/// A file name from the time, which sorts, and the process and its count, which make it unique.
fn name(extension: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let nanos = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_nanos();
    format!("{nanos:020}-{:010}-{count:010}.{extension}", process::id())
}

impl Complaints {
    /// Renames a file that cannot be read, so that it is not read again.
    fn set_aside(&self, path: PathBuf, fault: &io::Error) {
        match rename_aside(&path) {
            Ok(aside) => {
                self.count.fetch_add(1, Ordering::Relaxed);
                tracing::error!(file = %aside.display(), %fault, "set aside a file in the spool that is no event");
            }
            Err(error) => {
                let (file, mut stuck) = (path.display().to_string(), self.stuck());
                if stuck.insert(path) {
                    self.count.fetch_add(1, Ordering::Relaxed);
                    tracing::error!(
                        file, %fault, %error,
                        "a file in the spool is no event and cannot be set aside; remove it"
                    );
                }
            }
        }
    }

    fn forget_removed(&self) {
        self.stuck().retain(|path| fs::symlink_metadata(path).is_ok());
    }

    fn stuck(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives a file an unused name that readers ignore.
fn rename_aside(path: &Path) -> io::Result<PathBuf> {
    let numbered = (2..=NAMES_ASIDE).map(|number| path.with_extension(format!("{number}.{BAD}")));
    let mut names = std::iter::once(path.with_extension(BAD)).chain(numbered);
    let free = names.find(|name| fs::symlink_metadata(name).is_err());
    let aside = free.ok_or(io::ErrorKind::AlreadyExists)?;
    fs::rename(path, &aside)?;
    Ok(aside)
}

/// Reads an event. Others may write into the spool's directory: see [`files`].
fn read_event(path: &Path) -> io::Result<DnsmasqEvent> {
    let text = files::read(path, Symlinks::Refuse, LARGEST as u64)?;
    Ok(serde_json::from_slice(&text)?)
}

fn remove_abandoned(path: &Path) {
    let found = fs::symlink_metadata(path).ok().filter(|found| !found.is_dir());
    let age = found.and_then(|found| found.modified().ok()?.elapsed().ok());
    if age.is_some_and(|age| age > ABANDONED) {
        match fs::remove_file(path) {
            Ok(()) => {
                tracing::warn!(file = %path.display(), "removed an event that a hook began to write and did not end")
            }
            Err(error) => tracing::warn!(file = %path.display(), %error, "could not remove an unfinished event"),
        }
    }
}

fn ensure_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

fn write_synced(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

fn io(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SpoolError {
    let path = path.to_owned();
    move |source| SpoolError::Io { verb, path, source }
}

#[cfg(test)]
mod tests;
