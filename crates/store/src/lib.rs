//! The state in SQL: wanted instances, leases, and events. One file a noun or a verb.
//!
//! Invariants:
//!
//! - What a call reports as written is durable: it survives `SIGKILL` and a power cut.
//! - One task writes (`writer`); callers that come at the same time share one commit. A read sees one moment of the
//!   database, with everything that was committed before it.
//! - A slot of an owner has at most one live instance, and an address of a network at most one live holder. Indexes
//!   enforce both.
//! - An instance never leaves [`Phase::Removed`](orchestrator_model::Phase), and leaves `Removing` only for `Removed`.
//! - Event ids rise by one in the order of commits.
//! - SQLite and PostgreSQL behave alike: one set of migrations, one text of each statement, tests on both.
//! - Of the daemons that have opened a database, the last one writes: nothing is committed with a lower epoch than that
//!   of the row in `leaders` (`leader`).
//! - A write counts only if it went into the database that was opened (`guard`), and nothing is written to a database
//!   that was found damaged.
//! - Every call ends within seconds, even if the database does not answer; then it returns [`StoreError::Away`].
//!
//! Every call may be dropped. A write whose call was dropped, or that returned `Away`, may have happened. Writes may be
//! repeated.

mod authorized_keys;
mod backup;
mod batch;
mod checkpoint;
mod clients;
mod clock;
mod connection;
mod destroy;
mod due;
mod elsewhere;
mod error;
mod events;
mod examine;
mod expire;
mod given;
mod guard;
mod hosts;
mod identity;
mod images;
mod instances;
mod known;
mod kv;
mod leader;
mod leases;
mod ledger;
mod look;
mod migrate;
mod names;
mod page;
mod pauses;
mod ping;
mod plan;
mod promises;
mod prune;
mod recall;
mod record;
mod reservations;
mod routed;
mod rows;
mod rules;
mod script;
mod sealed;
mod services;
mod situation;
mod statements;
mod templates;
mod text;
mod times;
mod tokens;
mod update;
mod url;
mod volumes;
mod weigh;
mod writer;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use backup::{BackupError, Contents, Restore, Restored, SecretsInBackup};
pub use clients::ClientFilter;
pub use error::{AwayCause, DamageCause, LostCause, StoreError};
pub use events::EventFilter;
pub use identity::Identity;
pub use images::{ImageUses, NamedImage, NewPin, Pinning};
pub use instances::{InstanceFilter, Resolved};
pub use kv::{
    KvChanges, KvListing, KvRemoval, KvWrite, LARGEST_VALUE, MOST_BYTES_OF_NAMESPACE, MOST_KEYS_OF_NAMESPACE,
    MOST_NAMESPACES,
};
pub use leases::LeaseFilter;
pub use look::Found;
pub use names::Name;
pub use page::MAX_LIMIT;
pub use plan::NewInstance;
pub use promises::Promise;
pub use prune::Pruned;
pub use recall::{Recall, Recalled};
pub use record::{Outcome, Recorded};
pub use reservations::MOST_RESERVATIONS;
pub use routed::AttachedPrefix;
pub use sealed::{
    Authority, IssuedCertificate, NewAuthority, Resealed, SEAL, SealedRows, SealedSecret, Written, authority_key_name,
};
pub use services::{
    Apart, Deployed, Failures, HeldVersion, MOST_SERVICES, NewDeploy, OperationFilter, RollOutcome, ServiceChange,
    ServiceSituation, ServiceUpdate, SlotChange, Waits,
};
pub use situation::{Holding, Situation, Wanting};
pub use templates::MOST_TEMPLATES;
pub use update::InstanceUpdate;
pub use volumes::{IdleVolume, NewVolume};
pub use weigh::DatabaseFiles;

use checkpoint::Log;
use connection::{Pool, Session, Tx};
use guard::Guard;
use identity::file::IdentityFile;
use leader::Lead;
use orchestrator_model::Event;
use url::Target;
use writer::{Queue, Writer};

/// The number of committed events that a reader may lag behind before it has to read the table.
const EVENTS_KEPT: usize = 1024;

/// A handle on the store. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    target: Target,
    guard: Arc<Guard>,
    identity: Identity,
    epoch: u64,
    /// Keeps the lock.
    _identity_file: Option<IdentityFile>,
    readers: Pool,
    queue: Queue,
    committed: broadcast::Sender<Event>,
    /// How many operations on services have ended without an event.
    settled: watch::Sender<u64>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Store {
    /// Connects, migrates the schema, creates the identity if it is missing, takes the lead from any other daemon, and
    /// starts the writer.
    ///
    /// A missing SQLite file is created, with its directory.
    ///
    /// # Errors
    ///
    /// [`StoreError::Away`] when a later try may succeed. [`BadUrl`](StoreError::BadUrl), [`Newer`](StoreError::Newer),
    /// [`Schema`](StoreError::Schema), [`Failed`](StoreError::Failed) and [`Row`](StoreError::Row) when the operator
    /// has to act.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        Self::open_at(url, None).await
    }

    /// Like [`open`](Self::open), with a copy of the identity in a file. A new database gets the file's identity; a
    /// missing file gets the database's. The file is locked as long as the store lives.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open). [`IdentityDiffers`](StoreError::IdentityDiffers) and
    /// [`NotAnIdentity`](StoreError::NotAnIdentity) when the operator has to act.
    pub async fn open_with(url: &str, identity: &Path) -> Result<Self, StoreError> {
        Self::open_at(url, Some(identity)).await
    }

    async fn open_at(url: &str, identity: Option<&Path>) -> Result<Self, StoreError> {
        let target = url::parse_url(url)?;
        if let Some(file) = target.file() {
            migrate::ensure_file(file)?;
        }
        // Nobody is served yet, so this may block.
        let file = identity.map(IdentityFile::open).transpose()?;
        let mut session = Session::connect(&target).await?;
        migrate::migrate(&mut session).await?;
        let (identity, facts) = identity::ensure_identity(&mut session, file.as_ref()).await?;
        let guard = Arc::new(Guard::new(&target, &facts)?);
        let file = file.map(|file| file.keep(&identity)).transpose()?;
        let lead = Lead::take(&mut session).await?;

        let readers = Pool::new(&target);
        let epoch = lead.epoch();
        let (committed, _) = broadcast::channel(EVENTS_KEPT);
        let stop = CancellationToken::new();
        let tracker = TaskTracker::new();
        let log = Log::default();
        if target.file().is_some() {
            tracker.spawn(log.checkpointer(target.clone()).run(stop.clone()));
        }
        let (writer, queue) = Writer::new(target.clone(), session, lead, guard.clone(), log, committed.clone());
        tracker.spawn(writer.run(stop.clone()));
        tracker.close();
        Ok(Self {
            shared: Arc::new(Shared {
                target,
                guard,
                identity,
                epoch,
                _identity_file: file,
                readers,
                queue,
                committed,
                settled: watch::Sender::new(0),
                stop,
                tasks: tracker,
            }),
        })
    }

    /// The number of this daemon among all that opened the database, from 1. Each one's is higher than that of the daemon
    /// before.
    pub fn epoch(&self) -> u64 {
        self.shared.epoch
    }

    /// The identity of this daemon.
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// New events, each after its commit, in the order of their ids.
    ///
    /// The table is authoritative: an event whose commit was not answered in time is in the table but not here. A
    /// reader that lags continues with [`events`](Self::events).
    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.shared.committed.subscribe()
    }

    /// Changes when an operation on a service has ended that has no event of its own: all is as it was wanted.
    pub fn settled(&self) -> watch::Receiver<u64> {
        self.shared.settled.subscribe()
    }

    /// Writes what is queued, and closes all connections. Later calls return `Away`.
    pub async fn close(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.wait().await;
        self.shared.readers.close().await;
    }

    /// Checks that the database is still where it was opened. This costs at most a stat(2).
    ///
    /// # Errors
    ///
    /// [`StoreError::Lost`], [`StoreError::Damaged`] if damage was found earlier.
    pub fn is_in_place(&self) -> Result<(), StoreError> {
        self.shared.guard.check_to_write()
    }

    /// Waits until another daemon has taken the lead, and returns that as an error. From then on nothing is written.
    pub async fn deposed(&self) -> StoreError {
        self.shared.guard.deposed().await
    }

    async fn snapshot(&self) -> Result<Tx<'static>, StoreError> {
        self.shared.guard.check()?;
        self.shared.readers.snapshot().await
    }

    /// The same for one statement.
    async fn glance(&self) -> Result<Tx<'static>, StoreError> {
        self.shared.guard.check()?;
        self.shared.readers.glance().await
    }

    async fn write<W: writer::Write>(&self, write: W) -> Result<W::Output, StoreError> {
        self.shared.queue.write(write).await
    }
}
