//! Services: opens, drains and closes their slots, checks their instances, and says where they are reached.
//!
//! ```text
//!   deploy, scale, … ──commit──▶ event ──▶ worker of the service: read ─▶ health ─▶ endpoints ─▶ roll::next ─▶ record
//!   instance changed ──commit──▶ event ──┤                                                          │
//!   check: other result ─────────────────┤                                       notification ◀─────┘
//!   router: snapshot in force ───────────┘                                            ▼
//!                                                      wants of the service ──▶ workers of instances
//! ```
//!
//! - One worker owns a service: nothing else changes its slots. It decides from what is recorded, and may end at any await.
//! - A slot is recorded before anything is made for it, and its number is free only when its instance is gone.
//! - Checks are made in memory. Only a changed result is recorded.
//! - Endpoints follow from what is recorded. No router is waited for that is not there.

mod board;
mod candidates;
mod clients;
mod dispatch;
mod endpoints;
mod health;
mod moves;
mod placement;
mod probe;
mod reading;
mod records;
mod situation;
mod wants;
mod worker;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use orchestrator_host::Host;
use orchestrator_model::{Clock, Endpoints, HostId};
use orchestrator_runtime::conditions::{Conditions, Owned};
use orchestrator_runtime::notifications::Notifications;
use orchestrator_runtime::routers::Routers;
use orchestrator_service::place::KnownHost;
use orchestrator_settings::Current;
use orchestrator_store::StoreError;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::board::Board;
use self::clients::Turns;
use self::endpoints::Publisher;
pub use self::placement::HostLoads;
use self::probe::Prober;
use self::reading::Reading;
pub use self::records::ServiceRecords;
pub use self::wants::ServiceWants;
use crate::driver::Driver;
use crate::instance::Wake;

/// The environment of the services.
pub struct Parts {
    /// The settings in force.
    pub settings: Current,
    /// Where services are recorded.
    pub records: Arc<dyn ServiceRecords>,
    /// The machines on which instances run.
    pub hosts: Vec<Arc<dyn Host>>,
    /// The names, roles and states of hosts. Services are placed on those of them that are also in `hosts`.
    pub known_hosts: watch::Receiver<Arc<Vec<KnownHost>>>,
    /// The routers that lead to endpoints.
    pub routers: Routers,
    /// Where endpoints are sent.
    pub endpoints: watch::Sender<Arc<Endpoints>>,
    /// Counts time.
    pub clock: Clock,
    /// Wakes the workers of instances.
    pub notifications: Notifications,
    /// Where it shows services that no host can have.
    pub conditions: Conditions,
    /// Runs the reconcilers.
    pub driver: Driver,
    /// Counts the checks that are under way.
    pub tracker: TaskTracker,
    /// Ends the checks.
    pub stop: CancellationToken,
}

/// The services of the daemon. A cheap handle.
#[derive(Clone)]
pub struct Services {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Current,
    records: Arc<dyn ServiceRecords>,
    routers: Routers,
    publisher: Publisher,
    clock: Clock,
    notifications: Notifications,
    conditions: Conditions,
    driver: Driver,
    // The ids of the hosts that this daemon reaches.
    hosts: BTreeSet<HostId>,
    known_hosts: watch::Receiver<Arc<Vec<KnownHost>>>,
    loads: OnceLock<Arc<dyn HostLoads>>,
    // The conditions of services with slots that no host can have.
    unplaced: Mutex<BTreeMap<String, Owned>>,
    board: Board,
    prober: Prober,
    workers: Mutex<HashMap<String, Arc<Wake>>>,
    // Services that wait for routers.
    waiting: Mutex<BTreeSet<String>>,
    // Of services with an instance for each client: whose instance is replaced now.
    turns: Mutex<BTreeMap<String, Turns>>,
}

impl Services {
    /// Reads what is recorded of all services, and shows where they are reached: no router sees a snapshot that lacks one
    /// of them. Nothing else happens until [`register`](Self::register).
    ///
    /// # Errors
    ///
    /// When the database is unreachable. Then nobody knows which instances are wanted, and no instance may be judged.
    pub async fn open(parts: Parts) -> Result<Self, StoreError> {
        let (board, settings) = (Board::default(), parts.settings.get());
        let mut recorded = Vec::new();
        for service in parts.records.services().await? {
            if let Some(situation) = parts.records.service_situation(&service.name).await? {
                let reading = Reading::new(situation, &settings);
                board.put(&reading, BTreeSet::new());
                recorded.push(reading);
            }
        }
        let hosts: BTreeMap<HostId, Arc<dyn Host>> = parts
            .hosts
            .into_iter()
            .map(|host| (HostId::new(host.name()), host))
            .collect();
        let inner = Arc::new_cyclic(|own: &std::sync::Weak<Inner>| {
            let own = own.clone();
            let wake = move |service: &str| {
                if let Some(inner) = own.upgrade() {
                    Self { inner }.wake(service);
                }
            };
            Inner {
                settings: parts.settings,
                publisher: Publisher::new(parts.endpoints, parts.records.first_index()),
                records: parts.records,
                routers: parts.routers,
                clock: parts.clock,
                notifications: parts.notifications,
                conditions: parts.conditions,
                driver: parts.driver,
                hosts: hosts.keys().cloned().collect(),
                known_hosts: parts.known_hosts,
                loads: OnceLock::new(),
                unplaced: Mutex::default(),
                board,
                prober: Prober::new(hosts, parts.tracker, parts.stop, Box::new(wake)),
                workers: Mutex::default(),
                waiting: Mutex::default(),
                turns: Mutex::default(),
            }
        });
        let services = Self { inner };
        recorded.iter().for_each(|reading| services.publish(reading));
        Ok(services)
    }

    /// What services want of the workers of instances.
    pub fn wants(&self) -> ServiceWants {
        ServiceWants(self.inner.board.clone())
    }

    /// Those of these hosts that this daemon reaches: services are placed on no others.
    pub fn reachable(&self, known: &[KnownHost]) -> Vec<KnownHost> {
        let own = known.iter().filter(|host| self.inner.hosts.contains(&host.id));
        own.cloned().collect()
    }

    /// Begins to work. `loads` says what hosts carry.
    pub fn register(&self, loads: Arc<dyn HostLoads>) {
        self.follow_loads(loads);
        dispatch::register(self);
    }

    fn workers(&self) -> MutexGuard<'_, HashMap<String, Arc<Wake>>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.inner.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turns(&self) -> MutexGuard<'_, BTreeMap<String, Turns>> {
        self.inner.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.inner.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
