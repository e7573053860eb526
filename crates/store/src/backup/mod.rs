//! Backups: everything that is recorded, as one stream of text that either database writes and either one reads.
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
//! - It is one moment of the database, taken beside a daemon that goes on working, in chunks of rows: its memory does
//!   not grow with the database.
//! - The last line counts the rows and has the digest of all lines before it. What was cut short or changed is refused.
//! - A restore is one transaction: the database holds all of the backup, or what it held before.
//! - A restored database is born anew. A daemon that still has the old one open notices.

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

/// The statements that are one text for both databases.
pub(super) const STATEMENTS: &[&str] = export::STATEMENTS;

/// The contents of a backup.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Contents {
    /// The version of the program that wrote it.
    pub program: String,
    /// The moment that it shows, by the wall clock of the machine that wrote it.
    pub made: Timestamp,
    /// The version of the schema: the number of the last migration.
    pub schema: i64,
    /// Rows by table.
    pub rows: BTreeMap<String, u64>,
}

/// The result of a restore.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Restored {
    /// The contents of the database now.
    #[serde(flatten)]
    pub contents: Contents,
    /// Where the file of a damaged database is now, in whose place a new one was made.
    pub set_aside: Option<PathBuf>,
}

impl Contents {
    /// How many rows of a table it holds.
    pub fn count(&self, table: &str) -> u64 {
        self.rows.get(table).copied().unwrap_or_default()
    }
}

/// How a backup is restored.
#[derive(Clone, Copy)]
pub struct Restore<'a> {
    /// Whether all that the database holds is replaced. Without this the database must hold nothing.
    pub replace: bool,
    /// What happens to the sealed secrets of the backup.
    pub secrets: SecretsInBackup<'a>,
}

/// What a restore does with the sealed secrets of a backup.
#[derive(Clone, Copy)]
pub enum SecretsInBackup<'a> {
    /// They are restored if this opens each, by its name and its sealed text. The error says why it does not.
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

    /// Puts what a backup holds into the database at `url`, which no daemon may use. The database must hold nothing, or
    /// [`Restore::replace`] be set: then all that it held is gone, the file at `identity` gets the backup's identity, and the file
    /// of a SQLite database that is damaged is kept under another name.
    ///
    /// # Errors
    ///
    /// When a daemon runs on this identity, when the database or the file holds something else and `replace` is not
    /// set, when a secret of the backup cannot be opened, and when the backup is no backup, is damaged, is cut short, or is newer than this program. Then nothing was
    /// changed.
    pub async fn restore(
        url: &str,
        identity: &Path,
        from: &mut dyn BufRead,
        how: Restore<'_>,
    ) -> Result<Restored, BackupError> {
        // Its lock keeps daemons away until the end.
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

    /// Reads a whole backup, as a restore would, and says what it holds. Touches no database.
    ///
    /// # Errors
    ///
    /// When it is no backup, is damaged, is cut short, or is newer than this program.
    pub fn examine_backup(from: &mut dyn BufRead) -> Result<Contents, BackupError> {
        let mut reader = format::Reader::begin(from)?;
        while reader.next_row()?.is_some() {}
        reader.finish()
    }
}
