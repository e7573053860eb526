//! Errors of the store.

mod cause;
mod code;
mod reason;

use std::io;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_dhcp6::ReservationConflict;
use sqlx::migrate::MigrateError;

use self::cause::{is_away, is_damaged};
pub use self::reason::{AwayCause, DamageCause, LostCause};
use super::{LARGEST_VALUE, MOST_RESERVATIONS, MOST_SERVICES, MOST_TEMPLATES};
use orchestrator_model::{
    AttachmentId, AuthorizedKeyError, ClientId, Duid, InstanceId, KvPath, MOST_TOKENS, ReservationId, SlotKey,
    TimeRefusal, Timestamp, VolumeId,
};

/// The reason why an operation of the store failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The URL names no known kind of database. The operator has to correct it.
    #[error(
        "store.url {url:?} names no database: {reason}; write it like \
         \"sqlite:///var/lib/orchestrator/orchestrator.db\" or \"postgres://user@host/name\""
    )]
    BadUrl {
        /// The URL without its password.
        url: String,
        /// The fault of the URL.
        reason: String,
    },
    /// The database cannot be reached or accepts no writes now. Trying again helps once it is back.
    ///
    /// Such a write may still have been committed, if the database became unreachable during the commit. Every write of
    /// the store may be repeated.
    #[error("the database is unreachable: could not {doing}; check the server, the disk and the permissions")]
    Away {
        /// The operation that failed.
        doing: &'static str,
        /// The cause.
        #[source]
        source: AwayCause,
    },
    /// A newer version of the program has used this database. The operator has to decide.
    #[error("the database was used by a newer orchestrator (its schema has version {version}); run that one or newer")]
    Newer {
        /// The version of the schema, which this program does not know.
        version: i64,
    },
    /// An older version of the program has used this database, and its schema was not migrated. The operator has to do
    /// that.
    #[error(
        "the database was used by an older orchestrator (its schema has version {version}); start this daemon once, which \
         brings it up to date"
    )]
    Older {
        /// The version of the schema.
        version: i64,
    },
    /// The schema could not be migrated. The operator has to find out why.
    #[error("the schema of the database could not be brought up to date; restore it from a backup, or name a new one")]
    Schema {
        /// The cause.
        #[source]
        source: Arc<MigrateError>,
    },
    /// The database is not the one that was opened: its file was deleted, moved or replaced, or the server has another
    /// one. A commit might be lost when this process ends, so nothing counts as written. The operator has to act.
    #[error(
        "the database is not the one that this daemon opened, and no lease is confirmed: {0}; put it back as it was, or \
         stop the daemon, restore a backup (`orchestrator restore FILE`) and start it again"
    )]
    Lost(LostCause),
    /// The database has contents that cannot be right. Nothing more is written to it. The operator has to act.
    #[error(
        "the database is damaged (could not {doing}), and no lease is confirmed; stop the daemon, restore a backup \
         (`orchestrator restore --force FILE`, which keeps the damaged file under another name), and see to the disk"
    )]
    Damaged {
        /// The operation that failed.
        doing: &'static str,
        /// The damage.
        #[source]
        source: DamageCause,
    },
    /// The database answered with an error, such as a missing table. This is a defect of the program.
    #[error("the database could not {doing}")]
    Failed {
        /// The operation that failed.
        doing: &'static str,
        /// The cause.
        #[source]
        source: Arc<sqlx::Error>,
    },
    /// Another daemon has taken the lead, so this one cannot write any more. The operator has to decide.
    #[error(
        "another daemon leads since {since}, on the machine {holder:?} (epoch {epoch}, after {own} of this one); this one \
         has written nothing since, and leaves its instances running. Two daemons cannot share a database: stop one of \
         them for good, or give it a database of its own in store.url"
    )]
    Deposed {
        /// The epoch of this daemon.
        own: i64,
        /// The present epoch.
        epoch: i64,
        /// The machine of the other daemon.
        holder: String,
        /// When it took the lead.
        since: Timestamp,
    },
    /// This program would not have written such a row.
    #[error("the database holds a {noun} that cannot be read: {column} is {value:?}; mend or delete that row")]
    Row {
        /// The kind of row.
        noun: &'static str,
        /// The column.
        column: &'static str,
        /// The value.
        value: String,
    },
    /// The identity file has other contents. The operator has to act.
    #[error(
        "{} holds no identity: {reason}; restore it from a backup, or remove it to go on with the database's", .path.display()
    )]
    NotAnIdentity {
        /// The file.
        path: PathBuf,
        /// The fault of its content.
        reason: &'static str,
    },
    /// The identity file and the database belong to two different servers. The operator has to choose.
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
    /// The operating system gave no random bytes.
    #[error("no random bytes for an id")]
    Random {
        /// The cause.
        #[source]
        source: Arc<io::Error>,
    },
    /// No list has given out this cursor.
    #[error("{0:?} is not a cursor of this list; use `next` of an earlier answer unchanged")]
    BadCursor(String),
    /// No client has this id.
    #[error("there is no client {0}")]
    NoSuchClient(ClientId),
    /// No instance has this id.
    #[error("there is no instance {0}")]
    NoSuchInstance(InstanceId),
    /// The times of the instance cannot be changed like this now.
    #[error("the time of instance {instance} cannot be changed: {why}")]
    Time {
        /// The instance.
        instance: InstanceId,
        /// The reason.
        why: TimeRefusal,
    },
    /// No reservation has this id.
    #[error("there is no reservation {0}; those in the settings have no id, and are removed there")]
    NoSuchReservation(ReservationId),
    /// There is no such volume.
    #[error("there is no volume {0}; GET /v1/volumes lists those there are")]
    NoSuchVolume(VolumeId),
    /// An instance holds the volume.
    #[error("instance {instance} holds volume {volume}; it can be removed once that instance is gone")]
    VolumeHeld {
        /// The volume.
        volume: VolumeId,
        /// The instance.
        instance: InstanceId,
    },
    /// A volume that an instance was to hold is another instance's by now, or is being removed.
    #[error("volume {0} was taken or removed meanwhile; the instance is planned anew")]
    VolumeTaken(VolumeId),
    /// A change of SSH keys does not fit the present list.
    #[error(transparent)]
    Keys(AuthorizedKeyError),
    /// The new reservation conflicts with an existing one.
    #[error("it cannot be reserved: {0}; remove the other reservation first, or take something else")]
    Reserved(#[from] ReservationConflict),
    /// The number of reservations has reached its limit.
    #[error("there are {MOST_RESERVATIONS} reservations, and no more are kept; remove some, or make them a pool")]
    TooManyReservations,
    /// The API already declares a template with this name.
    #[error("there is a template {0:?} already; change it, or take another name")]
    TemplateExists(String),
    /// The API declares no template with this name.
    #[error("there is no template {0:?} that was made through the API")]
    NoSuchTemplate(String),
    /// Somebody changed the template since the caller read it.
    #[error(
        "template {name:?} has version {version} now, and not {expected}; read it again and make the change to that"
    )]
    TemplateChanged {
        /// The template.
        name: String,
        /// The version in force.
        version: u64,
        /// The version that the caller read.
        expected: u64,
    },
    /// The number of templates has reached its limit.
    #[error("there are {MOST_TEMPLATES} templates, and no more are kept; remove some")]
    TooManyTemplates,
    /// There is a token with this name.
    #[error("there is a token {0:?} already; remove or rotate it, or take another name")]
    TokenExists(String),
    /// No token has this name.
    #[error("there is no token {0:?}; GET /v1/tokens lists those there are")]
    NoSuchToken(String),
    /// The number of tokens has reached its limit.
    #[error("there are {MOST_TOKENS} tokens, and no more are kept; remove some")]
    TooManyTokens,
    /// A key has another version than the caller expected.
    #[error("{}", describe_version(.path, *.version, *.expected))]
    KvChanged {
        /// The key.
        path: KvPath,
        /// Its version; 0 if there is no such key.
        version: i64,
        /// The version that the caller expected.
        expected: i64,
    },
    /// A value is larger than any may be.
    #[error(
        "the value of {path} has {size} bytes, and the largest may have {LARGEST_VALUE}; divide it among several keys"
    )]
    KvTooLarge {
        /// The key.
        path: KvPath,
        /// The size of the value.
        size: usize,
    },
    /// There is no room for another key or value.
    #[error("{reason}; remove some keys first")]
    KvFull {
        /// What is full.
        reason: String,
    },
    /// What a key was to belong to has ended: an instance, a lease or a client.
    #[error("{0} has ended, or there was none, so that it can have no key")]
    KvOwnerGone(String),
    /// There is no service with this name.
    #[error("there is no service {0:?}; GET /v1/services lists those there are")]
    NoSuchService(String),
    /// Somebody changed the service since the caller read it.
    #[error("service {name:?} has generation {generation} now, and not {expected}; read it again and change that")]
    ServiceChanged {
        /// The service.
        name: String,
        /// Its generation; 0 if there is no such service.
        generation: u64,
        /// The generation that the caller read; 0 if it found no such service.
        expected: u64,
    },
    /// Somebody else has what only one may have.
    #[error("{0}")]
    Taken(String),
    /// The service is being removed.
    #[error("service {0:?} is being removed; wait until it is gone, or deploy it again")]
    ServiceRemoving(String),
    /// The service has one instance for each client.
    #[error("service {0:?} has an instance for each client, and no number of instances")]
    PerClientService(String),
    /// The number of services has reached its limit.
    #[error("there are {MOST_SERVICES} services, and no more are kept; remove some")]
    TooManyServices,
    /// The slot already has a live instance.
    #[error("{key} already has instance {instance}")]
    AlreadyThere {
        /// The slot.
        key: SlotKey,
        /// Its live instance.
        instance: InstanceId,
    },
    /// The attachment is not there, is not an instance's any more, or has an address already.
    #[error("attachment {0} does not wait for an address")]
    NotPending(AttachmentId),
    /// A live instance has the address already.
    #[error("address {address} on {network} already belongs to instance {instance}")]
    AddressTaken {
        /// The network.
        network: String,
        /// The address.
        address: Ipv6Addr,
        /// The instance that has it.
        instance: InstanceId,
    },
}

/// How the version of a key differs from what was expected.
fn describe_version(path: &KvPath, version: i64, expected: i64) -> String {
    match (version, expected) {
        (0, _) => format!("there is no key {path}, and version {expected} of it was expected; read it again"),
        (_, 0) => format!("there is a key {path} already, with version {version}; read it first, or remove it"),
        _ => format!("{path} has version {version} now, and not {expected}; read it again and make the change to that"),
    }
}

impl StoreError {
    /// Whether the error affects every call, not only this one.
    pub(super) fn concerns_all(&self) -> bool {
        matches!(
            self,
            Self::Away { .. } | Self::Lost(_) | Self::Damaged { .. } | Self::Deposed { .. }
        )
    }

    /// Whether the database is unreachable now, so that the same call may succeed later.
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away { .. })
    }

    /// Whether another daemon has taken the lead. This is permanent.
    pub fn is_deposed(&self) -> bool {
        matches!(self, Self::Deposed { .. })
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

    /// Classifies an error of the database: it is unreachable, damaged, or answered with an error.
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
