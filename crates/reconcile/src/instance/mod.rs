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
//! - The driver ([`driver`](crate::driver)) runs the workers, the pass, the checks and the watches, and shows them.
//! - A worker takes no input but the store and the world. A crash at any point is recovered from by looking again.
//! - What is wanted is recorded before anything is done about it; every step may be repeated.
//! - A new instance needs a place first (`admission`): no limit is exceeded, and none waits for all that came before.
//! - What is not marked as ours is never touched.

mod admission;
mod check;
mod checks;
mod disk;
mod dispatch;
mod ending;
mod failure;
mod idle;
mod leftovers;
mod machine;
mod observe;
mod orphans;
mod output;
mod own_files;
mod packet_rules;
mod pass;
mod pauses;
mod pinned;
mod plan;
mod ports;
mod provision;
mod records;
mod removal;
mod request;
mod segment;
mod spec;
mod stop;
mod time;
mod turns;
mod volumes;
mod wants;
mod watch;
mod worker;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::future::Future;
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex};

use orchestrator_catalog::{Declared, View};
use orchestrator_host::Host;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::own_files::{NoFiles, OwnFiles};
pub use self::packet_rules::{NoRules, PacketRules};
pub use self::records::Records;
pub use self::wants::{Clients, Want, Wants, is_spent};
pub(crate) use self::worker::Wake;
use crate::addresses::Addresses;
use crate::driver::{Driver, FailingRows};
use crate::images::Pins;
use orchestrator_model::{AttachmentId, Clock, HostId, Instance, InstanceId, SlotKey};
use orchestrator_runtime::conditions::Conditions;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_runtime::notifications::Notifications;
use orchestrator_store::StoreError;

/// Everything the orchestrator is made of. A cheap handle: all clones are one orchestrator.
#[derive(Clone)]
pub struct Orchestrator {
    inner: Arc<Inner>,
}

struct Inner {
    catalog: View,
    records: Arc<dyn Records>,
    own_files: Arc<dyn OwnFiles>,
    rules: Arc<dyn PacketRules>,
    pins: Pins,
    hosts: BTreeMap<HostId, Arc<dyn Host>>,
    clock: Clock,
    notifications: Notifications,
    conditions: Conditions,
    metrics: Metrics,
    driver: Driver,
    workers: Mutex<HashMap<SlotKey, Arc<worker::Wake>>>,
    // Where instances are shown that fail.
    failing: FailingRows,
    turns: turns::Turns,
    pass_wanted: Notify,
    // Hosts that are being listed, and instances whose leftovers are being removed: each once at a time.
    listed: Mutex<HashSet<HostId>>,
    leftovers: Mutex<HashSet<String>>,
    // Slots for which it was reported why they are not filled: once each, not at every try.
    full: Mutex<BTreeSet<SlotKey>>,
    // The taken addresses.
    addresses: Addresses,
    // What is promised, and who waits for a place.
    admission: admission::Desk,
    // Answers which owner wants what.
    wants: Vec<Arc<dyn Wants>>,
    // Instances that run and are not recorded.
    orphans: Mutex<orphans::Orphans>,
    // Bridges without a port left.
    full_bridges: Mutex<ports::FullBridges>,
    // Instances that are ready, and when each is checked.
    checks: checks::Checks,
    // Instances that somebody paused, and since when.
    pauses: pauses::Pauses,
    // What was recorded of their output.
    outputs: output::Outputs,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// The environment of the orchestrator.
pub struct Parts {
    /// The declared links, networks and templates.
    pub catalog: View,
    /// Where desired and actual state are recorded.
    pub records: Arc<dyn Records>,
    /// Where files come from that are an instance's own.
    pub own_files: Arc<dyn OwnFiles>,
    /// Knows whether the packet filter has the rules of an instance.
    pub rules: Arc<dyn PacketRules>,
    /// Knows which images the versions of templates are pinned to.
    pub pins: Pins,
    /// The machines on which instances run, each under its name. An engine is not asked before there is an instance to
    /// make or to remove.
    pub hosts: Vec<Arc<dyn Host>>,
    /// The kinds of owners. A slot is filled or kept when one of them wants it.
    pub wants: Vec<Arc<dyn Wants>>,
    /// Counts time for leases and graces.
    pub clock: Clock,
    /// Receives a notification after each committed change for a client.
    pub notifications: Notifications,
    /// Where it says what it waits for.
    pub conditions: Conditions,
    /// Where it counts.
    pub metrics: Metrics,
    /// Runs its reconcilers.
    pub driver: Driver,
}

impl Orchestrator {
    /// Puts it together; nothing happens until [`run`](Self::run).
    pub fn new(parts: Parts) -> Self {
        let named = parts.hosts.into_iter();
        let inner = Inner {
            hosts: named.map(|host| (HostId::new(host.name()), host)).collect(),
            catalog: parts.catalog,
            records: parts.records,
            own_files: parts.own_files,
            rules: parts.rules,
            pins: parts.pins,
            clock: parts.clock,
            notifications: parts.notifications,
            conditions: parts.conditions,
            metrics: parts.metrics,
            driver: parts.driver,
            workers: Mutex::default(),
            failing: FailingRows::at_most(worker::SHOWN),
            turns: turns::Turns::default(),
            pass_wanted: Notify::new(),
            listed: Mutex::default(),
            leftovers: Mutex::default(),
            full: Mutex::default(),
            addresses: Addresses::default(),
            admission: admission::Desk::default(),
            wants: parts.wants,
            orphans: Mutex::default(),
            full_bridges: Mutex::default(),
            checks: checks::Checks::default(),
            pauses: pauses::Pauses::default(),
            outputs: output::Outputs::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Works until `stop`. Its reconcilers end with their driver, at their next await.
    ///
    /// Instances are left running, and the next daemon adopts them.
    pub async fn run(&self, stop: CancellationToken) {
        // Before anybody is given a new instance: it may have one.
        let looked = stop.run_until_cancelled(self.look_for_orphans_if_needed()).await;
        if let Some(Err(fault)) = looked {
            tracing::debug!(error = &fault as &dyn std::error::Error, "the pass looks for orphans");
        }
        self.watch_networks();
        self.register_pass();
        self.register_admission();
        self.register_checks();
        self.register_disk();
        self.register_idle();
        self.register_dispatch();
        stop.cancelled().await;
        self.inner.stop.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Records that the instance is on its way out, whatever it does now, and sees to it.
    ///
    /// Its client gets a new one at its next lease event, not before. `by` is who asks, for the timeline.
    ///
    /// # Errors
    ///
    /// When there is no such instance or the store is away.
    pub async fn destroy(&self, id: InstanceId, by: Option<String>) -> Result<Instance, StoreError> {
        let instance = self
            .inner
            .records
            .destroy_instance(id, self.inner.clock.now(), None, by)
            .await?;
        self.wake(instance.key());
        Ok(instance)
    }

    /// Gives an address to an attachment that waits for one: records it, and has it wired. Its instance is ready after
    /// that.
    ///
    /// # Errors
    ///
    /// When no attachment of this id waits for an address, another instance has the address, or the store is away.
    pub async fn give_address(&self, attachment: AttachmentId, address: Ipv6Addr) -> Result<Instance, StoreError> {
        let now = self.inner.clock.now();
        let instance = self.inner.records.give_address(attachment, address, now).await?;
        for own in instance.attachments.iter().filter(|own| own.id == attachment) {
            // It is taken now, and memory does not know.
            self.inner.addresses.forget(&own.network);
        }
        self.wake(instance.key());
        Ok(instance)
    }

    /// The present declarations. A step asks once, so that it sees one state of them.
    fn declared(&self) -> Arc<Declared> {
        self.inner.catalog.current()
    }

    /// The host that an instance is on; `None` when the daemon does not know it.
    fn host_of(&self, instance: &Instance) -> Option<&Arc<dyn Host>> {
        self.inner.hosts.get(instance.host.as_ref()?)
    }

    /// Runs something once, alongside everything else. It ends at its next wait when the daemon stops.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.inner.stop.clone();
        self.inner.tasks.spawn(async move {
            stop.run_until_cancelled(task).await;
        });
    }
}
