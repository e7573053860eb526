//! Why a database cannot be used.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The reason why the database is [unreachable](super::StoreError::Away).
#[derive(Debug, Clone, thiserror::Error)]
pub enum AwayCause {
    /// The database reported it, or the connection failed.
    #[error(transparent)]
    Database(Arc<sqlx::Error>),
    /// The file or directory of the database or the identity cannot be created or read.
    #[error("{path}")]
    File {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: Arc<io::Error>,
    },
    /// Another daemon has locked the file.
    #[error("{} is in use by another daemon; give each a store.identity of its own", .0.display())]
    Held(PathBuf),
    /// The database did not answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Slow(Duration),
    /// The store was closed, because the daemon stops.
    #[error("the store is closed")]
    Closed,
}

/// The reason why the database is [lost](super::StoreError::Lost).
#[derive(Debug, Clone, thiserror::Error)]
pub enum LostCause {
    /// There is no file at its path any more.
    #[error("{} was deleted or moved while it was in use ({source})", .path.display())]
    Gone {
        /// The path.
        path: PathBuf,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
    /// Another file is at its path.
    #[error("{} was deleted or replaced by another file while it was in use", .0.display())]
    Replaced(PathBuf),
    /// The server has another database with its name.
    #[error("store.url leads to another database; the one that was opened was dropped, deleted or renamed")]
    Another,
    /// The database was restored to an earlier time.
    #[error("an older copy was restored into it while it was in use; restart the daemon to go on with that copy")]
    Earlier,
}

/// The kind of [damage](super::StoreError::Damaged).
#[derive(Debug, Clone, thiserror::Error)]
pub enum DamageCause {
    /// The database reported it.
    #[error(transparent)]
    Database(Arc<sqlx::Error>),
    /// A check of the whole database found this.
    #[error("{0}")]
    Found(String),
}
