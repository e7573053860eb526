//! Errors of the store, and who can mend them.

use std::io;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_dhcp6::ReservationConflict;
use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::SqliteError;

use super::{MOST_RESERVATIONS, MOST_TEMPLATES};
use orchestrator_model::{ClientId, Duid, InstanceId, ReservationId, SlotKey, Timestamp};

/// Why the store could not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The URL names no database that is known here. The operator's to mend.
    #[error(
        "store.url {url:?} names no database: {reason}; write it like \
         \"sqlite:///var/lib/orchestrator/orchestrator.db\" or \"postgres://user@host/name\""
    )]
    BadUrl {
        /// The URL without its password.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The database cannot be reached or accepts no writes now. Trying again helps once it is back.
    ///
    /// Such a write may have been committed nevertheless, if the database went away during the commit. Every write of
    /// the store may be repeated.
    #[error("the database is away: could not {doing}; see to the server, the disk and the permissions")]
    Away {
        /// What was being done.
        doing: &'static str,
        /// What happened.
        #[source]
        source: AwayCause,
    },
    /// A newer orchestrator has used this database. The operator's to mend.
    #[error("the database was used by a newer orchestrator (its schema has version {version}); run that one or newer")]
    Newer {
        /// The version this binary does not know.
        version: i64,
    },
    /// An older orchestrator has used this database, and nobody has brought its schema up to date. The operator's to mend.
    #[error(
        "the database was used by an older orchestrator (its schema has version {version}); start this daemon once, which \
         brings it up to date"
    )]
    Older {
        /// The version that the schema has.
        version: i64,
    },
    /// The schema could not be brought up to date. The operator's to mend.
    #[error("the schema of the database could not be brought up to date; restore it from a backup, or name a new one")]
    Schema {
        /// What happened.
        #[source]
        source: Arc<MigrateError>,
    },
    /// The database is not the one that was opened: its file was deleted, moved or replaced, or another one answers. What
    /// is committed now may be gone with this process, so that nothing counts as written. The operator's to mend.
    #[error(
        "the database is not the one that this daemon opened, and no lease is confirmed: {0}; put it back as it was, or \
         stop the daemon, restore a backup (`orchestrator restore FILE`) and start it again"
    )]
    Lost(LostCause),
    /// The database holds what cannot be right. Nothing is written to it any more. The operator's to mend.
    #[error(
        "the database is damaged (could not {doing}), and no lease is confirmed; stop the daemon, restore a backup \
         (`orchestrator restore --force FILE`, which keeps the damaged file under another name), and see to the disk"
    )]
    Damaged {
        /// What was being done.
        doing: &'static str,
        /// What was found.
        #[source]
        source: DamageCause,
    },
    /// The database answered, and refused: a missing table, a defect of ours.
    #[error("the database could not {doing}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// What happened.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// Another daemon has taken the lead: this one writes nothing more, whatever it tries. The operator's to mend.
    #[error(
        "another daemon leads since {since}, on the machine {holder:?} (epoch {epoch}, after {own} of this one); this one \
         has written nothing since, and leaves its instances running. Two daemons cannot share a database: stop one of \
         them for good, or give it a database of its own in store.url"
    )]
    Deposed {
        /// The epoch of this daemon.
        own: i64,
        /// The epoch that is there.
        epoch: i64,
        /// The machine of the other daemon.
        holder: String,
        /// When it took the lead.
        since: Timestamp,
    },
    /// A row that this orchestrator did not write, or not like that.
    #[error("the database holds a {noun} that cannot be read: {column} is {value:?}; mend or delete that row")]
    Row {
        /// What the row is about.
        noun: &'static str,
        /// The column.
        column: &'static str,
        /// What it holds.
        value: String,
    },
    /// The file of the identity holds something else. The operator's to mend.
    #[error(
        "{} holds no identity: {reason}; restore it from a backup, or remove it to go on with the database's", .path.display()
    )]
    NotAnIdentity {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The file of the identity and the database belong to two servers. The operator's to mend.
    #[error(
        "{} is the identity of another database: the server is {kept} there, and {recorded} in store.url; remove the file \
         to go on as the database says, or to go on as the file says restore its database or name a new one", .path.display()
    )]
    IdentityDiffers {
        /// The file.
        path: PathBuf,
        /// The DUID in the file.
        kept: Duid,
        /// The DUID in the database.
        recorded: Duid,
    },
    /// The operating system gave no random bytes for an id.
    #[error("no random bytes for an id")]
    Random {
        /// What happened.
        #[source]
        source: Arc<io::Error>,
    },
    /// The cursor is none that a list gave out.
    #[error("{0:?} is no cursor of this list; take `next` of an earlier answer as it is")]
    BadCursor(String),
    /// No client has that id.
    #[error("there is no client {0}")]
    NoSuchClient(ClientId),
    /// No instance has that id.
    #[error("there is no instance {0}")]
    NoSuchInstance(InstanceId),
    /// No reservation has that id.
    #[error("there is no reservation {0}; those in the settings have no id, and are removed there")]
    NoSuchReservation(ReservationId),
    /// Another reservation conflicts with a new one.
    #[error("it cannot be reserved: {0}; remove the other reservation first, or take something else")]
    Reserved(#[from] ReservationConflict),
    /// There are as many reservations as there may be.
    #[error("there are {MOST_RESERVATIONS} reservations, and no more are kept; remove some, or make them a pool")]
    TooManyReservations,
    /// The API declares a template of this name already.
    #[error("there is a template {0:?} already; change it, or take another name")]
    TemplateExists(String),
    /// The API declares no template of this name.
    #[error("there is no template {0:?} that was made through the API")]
    NoSuchTemplate(String),
    /// Somebody changed the template since the caller read it.
    #[error(
        "template {name:?} has version {version} now, and not {expected}; read it again and make the change to that"
    )]
    TemplateChanged {
        /// The template.
        name: String,
        /// The version that counts now.
        version: u64,
        /// The version that the caller read.
        expected: u64,
    },
    /// There are as many templates as there may be.
    #[error("there are {MOST_TEMPLATES} templates, and no more are kept; remove some")]
    TooManyTemplates,
    /// The slot has a live instance already.
    #[error("{key} already has instance {instance}")]
    AlreadyThere {
        /// The slot.
        key: SlotKey,
        /// Its live instance.
        instance: InstanceId,
    },
    /// A live instance has the address already.
    #[error("address {address} on {network} already belongs to instance {instance}")]
    AddressTaken {
        /// The network.
        network: String,
        /// The address.
        address: Ipv6Addr,
        /// Whose it is.
        instance: InstanceId,
    },
}

/// Why the database is [away](StoreError::Away).
#[derive(Debug, Clone, thiserror::Error)]
pub enum AwayCause {
    /// It said so, or the way to it is broken.
    #[error(transparent)]
    Database(Arc<sqlx::Error>),
    /// Its file or directory, or that of the identity, cannot be made or read.
    #[error("{path}")]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What happened.
        source: Arc<io::Error>,
    },
    /// Another daemon has the file.
    #[error("{} is in use by another daemon; give each a store.identity of its own", .0.display())]
    Held(PathBuf),
    /// It did not answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Slow(Duration),
    /// The store was closed: the daemon is stopping.
    #[error("the store is closed")]
    Closed,
}

/// How the database was [lost](StoreError::Lost).
#[derive(Debug, Clone, thiserror::Error)]
pub enum LostCause {
    /// Nothing is at its path any more.
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
    /// The server has another database under its name.
    #[error("store.url leads to another database; the one that was opened was dropped, deleted or renamed")]
    Another,
    /// It was put back to an earlier time.
    #[error("an older copy was restored into it while it was in use; restart the daemon to go on with that copy")]
    Earlier,
}

/// What is [damaged](StoreError::Damaged).
#[derive(Debug, Clone, thiserror::Error)]
pub enum DamageCause {
    /// The database said so.
    #[error(transparent)]
    Database(Arc<sqlx::Error>),
    /// A check of the whole database found this.
    #[error("{0}")]
    Found(String),
}

impl StoreError {
    /// Whether every call meets this fault, not only this one.
    pub(super) fn concerns_all(&self) -> bool {
        matches!(
            self,
            Self::Away { .. } | Self::Lost(_) | Self::Damaged { .. } | Self::Deposed { .. }
        )
    }

    /// Whether the database is not there now, and the same call may succeed later.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away { .. })
    }

    /// Whether another daemon has taken the lead. This does not pass.
    pub fn is_deposed(&self) -> bool {
        matches!(self, Self::Deposed { .. })
    }

    /// A stable word for counters and the API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadUrl { .. } => "store-bad-url",
            Self::Away { .. } => "store-away",
            Self::Newer { .. } => "store-newer",
            Self::Older { .. } => "store-older",
            Self::Schema { .. } => "store-schema",
            Self::Lost(_) => "store-lost",
            Self::Damaged { .. } => "store-damaged",
            Self::Deposed { .. } => "store-deposed",
            Self::Failed { .. } => "store-failed",
            Self::Row { .. } => "store-bad-row",
            Self::NotAnIdentity { .. } => "store-no-identity",
            Self::IdentityDiffers { .. } => "store-other-identity",
            Self::Random { .. } => "store-no-random",
            Self::BadCursor(_) => "bad-cursor",
            Self::NoSuchClient(_) => "no-such-client",
            Self::NoSuchInstance(_) => "no-such-instance",
            Self::NoSuchReservation(_) => "no-such-reservation",
            Self::Reserved(_) => "already-reserved",
            Self::TooManyReservations => "too-many-reservations",
            Self::TemplateExists(_) => "template-exists",
            Self::NoSuchTemplate(_) => "no-such-template",
            Self::TemplateChanged { .. } => "template-changed",
            Self::TooManyTemplates => "too-many-templates",
            Self::AlreadyThere { .. } => "instance-already-there",
            Self::AddressTaken { .. } => "address-taken",
        }
    }

    /// Whether the store said no by its own rules, before it wrote anything: the transaction is still good.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::BadCursor(_)
                | Self::NoSuchClient(_)
                | Self::NoSuchInstance(_)
                | Self::NoSuchReservation(_)
                | Self::Reserved(_)
                | Self::TooManyReservations
                | Self::TemplateExists(_)
                | Self::NoSuchTemplate(_)
                | Self::TemplateChanged { .. }
                | Self::TooManyTemplates
                | Self::AlreadyThere { .. }
                | Self::AddressTaken { .. }
        )
    }

    pub(super) fn slow(doing: &'static str, limit: Duration) -> Self {
        Self::Away {
            doing,
            source: AwayCause::Slow(limit),
        }
    }

    pub(super) fn closed(doing: &'static str) -> Self {
        Self::Away {
            doing,
            source: AwayCause::Closed,
        }
    }

    /// Classifies an error of the database: it is away, it is damaged, or it answered with an error.
    pub(super) fn database(doing: &'static str, error: sqlx::Error) -> Self {
        let (away, damaged) = (is_away(&error), is_damaged(&error));
        let source = Arc::new(error);
        if damaged {
            Self::Damaged {
                doing,
                source: DamageCause::Database(source),
            }
        } else if away {
            Self::Away {
                doing,
                source: AwayCause::Database(source),
            }
        } else {
            Self::Failed { doing, source }
        }
    }
}

fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => match error.try_downcast_ref::<SqliteError>() {
            Some(error) => sqlite_is_away(error),
            None => error.code().is_some_and(|code| postgres_is_away(&code)),
        },
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        _ => false,
    }
}

fn is_damaged(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    match error.try_downcast_ref::<SqliteError>() {
        Some(error) => sqlite_is_damaged(primary(error)),
        None => error.code().is_some_and(|code| postgres_is_damaged(&code)),
    }
}

/// Pages that cannot be right, and a file that is no database.
fn sqlite_is_damaged(code: i32) -> bool {
    const CORRUPT: i32 = 11;
    const NOTADB: i32 = 26;
    [CORRUPT, NOTADB].contains(&code)
}

/// SQLSTATEs: `data_corrupted` and `index_corrupted`.
fn postgres_is_damaged(code: &str) -> bool {
    ["XX001", "XX002"].contains(&code)
}

/// The primary result code of SQLite: the lowest byte.
fn primary(error: &SqliteError) -> i32 {
    let code = error.code().and_then(|code| code.parse::<i32>().ok());
    code.unwrap_or_default() & 0xff
}

/// Result codes of SQLite for what passes.
fn sqlite_is_away(error: &SqliteError) -> bool {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const NOMEM: i32 = 7;
    const READONLY: i32 = 8;
    const IOERR: i32 = 10;
    const FULL: i32 = 13;
    const CANTOPEN: i32 = 14;
    const PROTOCOL: i32 = 15;
    [BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL].contains(&primary(error))
}

/// SQLSTATE classes: connection, authorization, no such database, resources (a full disk too), operator's
/// intervention, system error; and a server that only reads, as a standby does.
fn postgres_is_away(code: &str) -> bool {
    const READ_ONLY: &str = "25006";
    code == READ_ONLY
        || ["08", "28", "3D", "53", "57", "58"]
            .iter()
            .any(|class| code.starts_with(class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_away_and_a_missing_table_is_not() {
        assert!(postgres_is_away("53100"));
        assert!(postgres_is_away("57P01"));
        assert!(postgres_is_away("25006"));
        assert!(!postgres_is_away("42P01"));
        assert!(!postgres_is_away("23505"));
    }

    #[test]
    fn damage_is_told_from_a_disk_that_fails() {
        assert!(sqlite_is_damaged(11) && sqlite_is_damaged(26) && !sqlite_is_damaged(10));
        assert!(postgres_is_damaged("XX001") && postgres_is_damaged("XX002"));
        assert!(!postgres_is_damaged("58030") && postgres_is_away("58030"));
    }

    #[test]
    fn what_the_pool_and_the_wire_say_is_away() {
        assert!(is_away(&sqlx::Error::PoolTimedOut));
        assert!(is_away(&sqlx::Error::Io(io::ErrorKind::ConnectionReset.into())));
        assert!(!is_away(&sqlx::Error::RowNotFound));
    }
}
