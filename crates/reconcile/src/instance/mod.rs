//! From desired to actual: fills the slots that owners want filled, and empties the others.
//!
//! ```text
//!   notification ──▶ a worker a slot ──▶ machine::next ──▶ one step ──▶ again, until there is nothing to do
//!   period, engine, links ──▶ full pass ──▶ wakes workers, removes what belongs to nobody
//!   checks of what is ready ──▶ wake the workers of instances that do not answer
//! ```
//!
//! - What an owner wants is answered by [`Wants`]; its slots follow from that and from the instances that it has.
//! - One worker owns a slot: its steps never overlap, and a notification during a step makes it look again.
//! - A worker takes no input but the store and the world. A crash at any point is recovered from by looking again.
//! - What is wanted is recorded before anything is done about it; every step may be repeated.
//! - What is not marked as ours is never touched.

mod address;
mod bring_up;
mod check;
mod checks;
mod environment;
mod failure;
mod heartbeat;
mod look;
mod machine;
mod orphans;
mod pass;
mod pauses;
mod plan;
mod ports;
mod probe;
mod provision;
mod removal;
mod wants;
mod watch;
mod while_running;
mod worker;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orchestrator_network::Network;
use orchestrator_plugin::{Container, ContainerKey, Engine};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::wants::{Clients, Want, Wants};
use orchestrator_model::{Clock, Instance, InstanceId, Mark, SlotKey};
use orchestrator_runtime::conditions::Conditions;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_runtime::notifications::Notifications;
use orchestrator_settings::{Current, Settings};
use orchestrator_store::{Store, StoreError};

/// Workers that act at the same time. The others wait their turn: each costs memory and database readers.
const TURNS: usize = 256;

/// Everything the orchestrator is made of. A cheap handle: all clones are one orchestrator.
#[derive(Clone)]
pub struct Orchestrator {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Current,
    store: Store,
    network: Network,
    plugins: BTreeMap<Arc<str>, Arc<dyn Engine>>,
    // Plugins whose engines are watched, and what ends that: none while there is no instance to make or to remove.
    watched: Mutex<HashMap<Arc<str>, CancellationToken>>,
    mark: Mark,
    clock: Clock,
    notifications: Notifications,
    conditions: Conditions,
    metrics: Metrics,
    workers: Mutex<HashMap<SlotKey, Arc<worker::Wake>>>,
    turns: Semaphore,
    pass_wanted: Notify,
    // Slots for which a full pool was reported: once each, not at every try.
    full: Mutex<HashSet<SlotKey>>,
    // Who wants what.
    wants: Vec<Arc<dyn Wants>>,
    // What runs and is not recorded.
    orphans: Mutex<orphans::Orphans>,
    // Bridges without a port left.
    full_bridges: Mutex<ports::FullBridges>,
    // Instances that are ready, and when each is checked.
    checks: checks::Checks,
    // Instances that somebody paused, and since when.
    pauses: pauses::Pauses,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What the orchestrator works with.
pub struct Parts {
    /// The settings in force.
    pub settings: Current,
    /// Where desired and actual state are recorded.
    pub store: Store,
    /// The daemon's network namespace.
    pub network: Network,
    /// What provisions instances. An engine is not asked before there is an instance to make or to remove.
    pub plugins: Vec<Arc<dyn Engine>>,
    /// Who wants what. A slot is filled or kept when one of them says so.
    pub wants: Vec<Arc<dyn Wants>>,
    /// Counts time for leases and graces.
    pub clock: Clock,
    /// Rung by whoever commits a change for a client.
    pub notifications: Notifications,
    /// Where it says what it waits for.
    pub conditions: Conditions,
    /// Where it counts.
    pub metrics: Metrics,
}

impl Orchestrator {
    /// Puts it together; nothing happens until [`run`](Self::run).
    pub fn new(parts: Parts) -> Self {
        let mark = Mark {
            site: parts.store.identity().site,
        };
        let inner = Inner {
            mark,
            plugins: parts
                .plugins
                .into_iter()
                .map(|plugin| (Arc::from(plugin.name()), plugin))
                .collect(),
            watched: Mutex::default(),
            settings: parts.settings,
            store: parts.store,
            network: parts.network,
            clock: parts.clock,
            notifications: parts.notifications,
            conditions: parts.conditions,
            metrics: parts.metrics,
            workers: Mutex::default(),
            turns: Semaphore::new(TURNS),
            pass_wanted: Notify::new(),
            full: Mutex::default(),
            wants: parts.wants,
            orphans: Mutex::default(),
            full_bridges: Mutex::default(),
            checks: checks::Checks::default(),
            pauses: pauses::Pauses::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Works until `stop`, then lets the steps that are under way end at their next await.
    ///
    /// Instances are left running: whoever starts next adopts them.
    pub async fn run(&self, stop: CancellationToken) {
        // Before anybody is given a new instance: it may have one.
        let looked = stop.run_until_cancelled(self.look_for_orphans_if_needed()).await;
        if let Some(Err(fault)) = looked {
            tracing::debug!(error = &fault as &dyn std::error::Error, "the pass looks for orphans");
        }
        self.inner.tasks.spawn(self.clone().watch_links());
        self.inner.tasks.spawn(self.clone().pass_for_ever());
        self.inner.tasks.spawn(self.clone().check_for_ever());
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                notified = self.inner.notifications.received() => tokio::select! {
                    () = stop.cancelled() => break,
                    () = self.dispatch(notified) => {}
                },
            }
        }
        self.inner.stop.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Records that the instance is on its way out, whatever it does now, and sees to it.
    ///
    /// Its client gets a new one at its next lease event, not before.
    ///
    /// # Errors
    ///
    /// When there is no such instance or the store is away.
    pub async fn destroy(&self, id: InstanceId) -> Result<Instance, StoreError> {
        let instance = self
            .inner
            .store
            .destroy_instance(id, self.inner.clock.now(), None)
            .await?;
        self.wake(instance.key());
        Ok(instance)
    }

    /// The settings in force now: asked for once a step, so that a step sees one state of them.
    fn settings(&self) -> Arc<Settings> {
        self.inner.settings.get()
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<Arc<str>, CancellationToken>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.inner.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first container of an instance, with the engine's reference to it when that was recorded.
fn container(instance: &Instance) -> Container {
    Container {
        key: ContainerKey::main(instance.id),
        reference: instance.reference().map(str::to_owned),
    }
}

/// What every alias of ours begins with.
fn alias_prefix(mark: Mark) -> String {
    format!("orchestrator:{}:", mark.site)
}

/// The alias of the host ends of an instance: whoever finds one knows whose it is.
fn alias(mark: Mark, id: InstanceId) -> String {
    format!("{}{id}", alias_prefix(mark))
}
