//! The errors of backups and restores.

use std::io;
use std::path::PathBuf;

use crate::StoreError;
use orchestrator_model::Duid;

/// The reason why a backup could not be written or restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no database to back up.
    #[error("there is no database {}; `store.url` in the settings names it", .0.display())]
    NoDatabase(PathBuf),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The backup cannot be written.
    #[error("cannot write the backup")]
    Write(#[source] io::Error),
    /// The backup cannot be read.
    #[error("cannot read the backup")]
    Read(#[source] io::Error),
    /// The file of the damaged database cannot be renamed.
    #[error("the database is damaged, and its file cannot be set aside; move it away by hand, and restore again")]
    Aside(#[source] io::Error),
    /// The file does not have the format of a backup.
    #[error("line {line} of the backup {what}; it is no backup, or it is damaged: take another one")]
    Damaged {
        /// The number of the line, from 1.
        line: u64,
        /// The fault.
        what: String,
    },
    /// Its last line is missing.
    #[error("the backup ends after line {lines} and before its end: it was cut short; take another one")]
    CutShort {
        /// The number of lines that are there.
        lines: u64,
    },
    /// Its content was changed.
    #[error(
        "the backup was changed after it was written: its content does not match the digest in its last line; take another one"
    )]
    Changed,
    /// It was written by a later version.
    #[error(
        "the backup was written by version {program}, which is newer than this program; restore it with that version"
    )]
    Newer {
        /// The version that wrote it.
        program: String,
    },
    /// This version's tables refuse the rows of the backup's older schema.
    #[error(
        "the database does not take what the backup of schema {schema} holds; restore it with version {program}, then upgrade"
    )]
    Older {
        /// The version that wrote it.
        program: String,
        /// Its schema.
        schema: i64,
        /// The error of the database.
        #[source]
        source: StoreError,
    },
    /// A daemon uses the database.
    #[error("the identity file is in use; stop the daemon first (systemctl stop orchestrator)")]
    InUse(#[source] StoreError),
    /// The database is not empty.
    #[error("the database holds {clients} clients and {leases} leases already; `--force` replaces all that it holds")]
    NotEmpty {
        /// The number of clients.
        clients: i64,
        /// The number of leases.
        leases: i64,
    },
    /// The key of the backup's secrets is missing on this machine.
    #[error(
        "the backup holds secrets that cannot be opened here: {0}; put the key file in place that was kept with the \
         backup, or leave the secrets out with `--without-secrets`"
    )]
    Sealed(String),
    /// The identity file belongs to another server.
    #[error(
        "the identity file has the server {kept}, and the backup is of {backed_up}; `--force` makes this machine the \
         server of the backup, and replaces the file"
    )]
    OtherServer {
        /// The server of the file.
        kept: Duid,
        /// The server of the backup.
        backed_up: Duid,
    },
}
