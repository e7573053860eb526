//! Backups: the whole database as one stream of text, in a format that is the same for both kinds of databases.
//!
//! ```text
//! {"format":"orchestrator-backup","version":1,"program":"0.3.0","made":"2026-11-28T…Z","schema":3}
//! {"table":"facts","columns":["key","value"]}
//! ["server-duid","00:04:…"]
//! …
//! {"table":"leases","columns":["link","address",…]}
//! …
//! {"rows":{"clients":2,"facts":3,…},"sha256":"…"}
//! ```
//!
//! - A backup shows one moment of the database, even while a daemon uses it. It is read in chunks, so that its memory
//!   does not grow with the database.
//! - The last line has the number of rows and the digest of all lines before it. A truncated or changed backup is
//!   refused.
//! - A restore is one transaction: afterwards the database has the whole backup, or what it had before.
//! - A restored database gets a new birth id, by which a daemon that still has the old one open notices the change.

mod aside;
mod error;
mod export;
mod format;
mod import;
mod tables;

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

use super::identity::file::IdentityFile;
use super::url::parse_url;
use super::{Store, StoreError};
pub use error::BackupError;
use orchestrator_model::Timestamp;

/// The statements that are the same for both databases.
pub(super) const STATEMENTS: &[&str] = export::STATEMENTS;

/// The contents of a backup.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Contents {
    /// The version of the program that wrote it.
    pub program: String,
    /// The moment that it shows, by the clock of the machine that wrote it.
    pub made: Timestamp,
    /// The version of the schema: the number of the last migration.
    pub schema: i64,
    /// The number of rows by table.
    pub rows: BTreeMap<String, u64>,
}

/// The result of a restore.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Restored {
    /// The contents of the restored database.
    #[serde(flatten)]
    pub contents: Contents,
    /// The new name of a damaged database file, which the restored one has replaced.
    pub set_aside: Option<PathBuf>,
}

impl Contents {
    /// The number of rows of a table.
    pub fn count(&self, table: &str) -> u64 {
        self.rows.get(table).copied().unwrap_or_default()
    }
}

/// Options of a restore.
#[derive(Clone, Copy)]
pub struct Restore<'a> {
    /// Whether to replace the contents of the database. Without this the database must be empty.
    pub replace: bool,
    /// The treatment of the backup's sealed secrets.
    pub secrets: SecretsInBackup<'a>,
}

/// The treatment of a backup's sealed secrets.
#[derive(Clone, Copy)]
pub enum SecretsInBackup<'a> {
    /// They are restored if this function opens each, by its name and its sealed text. Its error is the reason.
    Checked(&'a dyn Fn(&str, &str) -> Result<(), String>),
    /// They are left out, with the certificate authorities. The daemon makes new ones.
    LeftOut,
}

impl Store {
    /// Writes a backup of the database at `url`, whether or not a daemon uses it. Changes nothing. `made` is the
    /// present time, for the backup's head.
    ///
    /// # Errors
    ///
    /// When the database cannot be read, has another schema than this program's, or `to` cannot be written.
    pub async fn back_up(url: &str, made: Timestamp, to: &mut dyn Write) -> Result<Contents, BackupError> {
        let target = parse_url(url)?;
        if let Some(file) = target.file().filter(|file| !file.exists()) {
            return Err(BackupError::NoDatabase(file.to_owned()));
        }
        export::export(&target, made, to).await
    }

    /// Restores a backup into the database at `url`, which no daemon may use. The database must be empty, unless
    /// [`Restore::replace`] is set. Then its contents are replaced, the file at `identity` gets the backup's identity,
    /// and a damaged SQLite file is kept under another name.
    ///
    /// # Errors
    ///
    /// When a daemon uses this identity; when the database or the file has other contents and `replace` is not set;
    /// when a secret of the backup cannot be opened; when the backup is not one, is damaged, truncated or newer than
    /// this program. Then nothing was changed.
    pub async fn restore(
        url: &str,
        identity: &Path,
        from: &mut dyn BufRead,
        how: Restore<'_>,
    ) -> Result<Restored, BackupError> {
        // The lock keeps daemons away until the end.
        let file = IdentityFile::open(identity).map_err(|fault| match fault {
            StoreError::Away { .. } => BackupError::InUse(fault),
            fault => fault.into(),
        })?;
        let kept = file.identity().cloned();
        let set_aside = if how.replace {
            aside::set_damaged_aside(url).await?
        } else {
            None
        };
        let imported = import::import(&parse_url(url)?, from, how, kept.as_ref()).await?;
        match &kept {
            Some(kept) if *kept == imported.identity => {}
            _ => drop(file.replace(&imported.identity)?),
        }
        Ok(Restored {
            contents: imported.contents,
            set_aside,
        })
    }

    /// Reads and verifies a whole backup as a restore would, and returns its contents. Uses no database.
    ///
    /// # Errors
    ///
    /// When it is not a backup, or is damaged, truncated or newer than this program.
    pub fn examine_backup(from: &mut dyn BufRead) -> Result<Contents, BackupError> {
        let mut reader = format::Reader::begin(from)?;
        while reader.next_row()?.is_some() {}
        reader.finish()
    }
}
