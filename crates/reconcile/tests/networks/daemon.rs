//! A daemon that keeps routes and networks, on fakes. It can be ended at any of its waits, and started again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use ipnet::Ipv6Net;
use orchestrator_host::fake::{FakeMachine, MachineSettings};
use orchestrator_host::{Host, HostChange, RoutePlan, WatchScope};
use orchestrator_model::{Clock, NewEvent, Timestamp};
use orchestrator_reconcile::driver::{Driver, Parts as DriverParts};
use orchestrator_reconcile::networks::{self, NetworkRecords};
use orchestrator_reconcile::routes::{self, RouteRecords};
use orchestrator_runtime::conditions::Conditions;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_runtime::notifications::Notifications;
use orchestrator_runtime::tasks::Tasks;
use orchestrator_settings::{Current, Settings};
use orchestrator_store::{AttachedPrefix, StoreError};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// A link that delegates prefixes, and two networks.
pub(crate) const SETTINGS: &str = r#"
[[link]]
bridge = "br0"
address = "fd39::1/64"
pool = "fd39::1:0/112"
[[link.delegation]]
pool = "fd40::/48"
length = 64
[[network]]
name = "storage"
address = "fd50::1/64"
instances = "fd50::1:0/112"
"#;

pub(crate) const POOL: &str = "fd40::/48";

/// A delegated prefix.
pub(crate) fn prefix(number: u16) -> Ipv6Net {
    Ipv6Net::new(Ipv6Addr::new(0xfd40, 0, 0, number, 0, 0, 0, 0), 64).unwrap()
}

/// The router towards it.
pub(crate) fn router(number: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number)
}

pub(crate) fn route(number: u16) -> RoutePlan {
    RoutePlan {
        prefix: prefix(number),
        via: Some((router(number), "br0".to_owned())),
    }
}

pub(crate) fn pool() -> RoutePlan {
    RoutePlan::unreachable(POOL.parse().unwrap())
}

#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) held: BTreeMap<Ipv6Net, Ipv6Addr>,
    pub(crate) attached: Vec<AttachedPrefix>,
    pub(crate) events: Vec<String>,
}

/// What is recorded. A cheap handle.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<Record>>);

impl Memory {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap()
    }
}

#[async_trait]
impl RouteRecords for Memory {
    async fn routed_links(&self, _: Timestamp) -> Result<Vec<String>, StoreError> {
        let any = !self.lock().held.is_empty();
        Ok(any.then(|| "br0".to_owned()).into_iter().collect())
    }

    async fn routed_prefixes(&self, link: &str, _: Timestamp) -> Result<Vec<(Ipv6Net, Ipv6Addr)>, StoreError> {
        assert_eq!(link, "br0");
        Ok(self.lock().held.clone().into_iter().collect())
    }

    async fn routed_prefix(&self, _: &str, prefix: Ipv6Net, _: Timestamp) -> Result<Option<Ipv6Addr>, StoreError> {
        Ok(self.lock().held.get(&prefix).copied())
    }

    async fn attached_prefixes(&self) -> Result<Vec<AttachedPrefix>, StoreError> {
        Ok(self.lock().attached.clone())
    }

    async fn reserved_prefixes(&self) -> Result<Vec<(String, Ipv6Net)>, StoreError> {
        Ok(Vec::new())
    }

    async fn append_event(&self, event: NewEvent) -> Result<(), StoreError> {
        self.lock().events.extend(event.detail);
        Ok(())
    }
}

#[async_trait]
impl NetworkRecords for Memory {
    async fn append_event(&self, event: NewEvent) -> Result<(), StoreError> {
        RouteRecords::append_event(self, event).await
    }
}

/// What stays when the daemon ends, and the daemon.
pub(crate) struct World {
    pub(crate) machine: FakeMachine,
    pub(crate) records: Memory,
    pub(crate) conditions: Conditions,
    pub(crate) notifications: Notifications,
    settings: watch::Sender<Arc<Settings>>,
    current: Current,
    daemon: Option<(CancellationToken, TaskTracker)>,
}

impl World {
    pub(crate) fn new(seed: u64, settings: &str) -> Self {
        let machine = FakeMachine::new(MachineSettings {
            seed,
            ..MachineSettings::default()
        });
        let (settings, current) = Current::new(parse(settings));
        Self {
            machine,
            records: Memory::default(),
            conditions: Conditions::default(),
            notifications: Notifications::default(),
            settings,
            current,
            daemon: None,
        }
    }

    pub(crate) fn change_settings(&self, settings: &str) {
        self.settings.send_replace(parse(settings));
    }

    pub(crate) fn start(&mut self) {
        assert!(self.daemon.is_none(), "one daemon at a time");
        let (stop, tracker) = (CancellationToken::new(), TaskTracker::new());
        // What an earlier daemon was notified of is lost with it.
        (self.notifications, self.conditions) = (Notifications::default(), Conditions::default());
        let driver = Driver::new(DriverParts {
            settings: self.current.clone(),
            tasks: Tasks::default(),
            metrics: Metrics::default(),
            tracker: tracker.clone(),
            stop: stop.clone(),
        });
        let host: Arc<dyn Host> = Arc::new(self.machine.host("local"));
        let parts = routes::Parts {
            settings: self.current.clone(),
            records: Arc::new(self.records.clone()),
            host: host.clone(),
            clock: Clock::start(),
            notifications: self.notifications.clone(),
            conditions: self.conditions.clone(),
            metrics: Metrics::default(),
        };
        routes::register(&driver, parts);
        let (changed, interfaces_changed) = watch::channel(());
        let parts = networks::Parts {
            settings: self.current.clone(),
            records: Arc::new(self.records.clone()),
            host: host.clone(),
            clock: Clock::start(),
            conditions: self.conditions.clone(),
            metrics: Metrics::default(),
            tasks: tracker.clone(),
        };
        networks::register(&driver, parts, interfaces_changed);
        let ended = stop.clone();
        tracker.spawn(async move { ended.run_until_cancelled(watch_interfaces(host, changed)).await });
        self.daemon = Some((stop, tracker));
    }

    /// Ends the daemon without a farewell.
    pub(crate) async fn kill(&mut self) {
        let Some((stop, tracker)) = self.daemon.take() else {
            return;
        };
        stop.cancel();
        tracker.close();
        tracker.wait().await;
        self.machine.crash_points().disarm();
        self.machine.disconnect();
    }

    /// A client is delegated a prefix.
    pub(crate) fn delegate(&self, number: u16) {
        self.records.lock().held.insert(prefix(number), router(number));
        let notify = |router| self.notifications.notify_leased("br0", prefix(number).into(), router);
        notify(Some(router(number)));
    }

    /// A client gives its prefix back.
    pub(crate) fn release(&self, number: u16) {
        self.records.lock().held.remove(&prefix(number));
        self.notifications.notify_leased("br0", prefix(number).into(), None);
    }

    pub(crate) fn routes(&self) -> BTreeSet<RoutePlan> {
        self.machine.with(|state| state.our_routes())
    }

    pub(crate) fn events(&self) -> String {
        self.records.lock().events.join("\n")
    }

    pub(crate) fn condition(&self, name: &str) -> Option<(bool, String)> {
        let all = self.conditions.list();
        let found = all.into_iter().find(|condition| condition.name == name)?;
        Some((found.ok, found.reason.unwrap_or_default()))
    }
}

fn parse(settings: &str) -> Arc<Settings> {
    Arc::new(orchestrator_settings::parse(settings, std::iter::empty()).unwrap())
}

async fn watch_interfaces(host: Arc<dyn Host>, changed: watch::Sender<()>) {
    loop {
        let (sender, mut changes) = mpsc::channel(1);
        let pass_on = async {
            while let Some(change) = changes.recv().await {
                assert_eq!(change, HostChange::Interfaces);
                changed.send_replace(());
            }
        };
        tokio::join!(host.watch(WatchScope::Interfaces, sender), pass_on);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Lets time pass.
pub(crate) async fn after(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
