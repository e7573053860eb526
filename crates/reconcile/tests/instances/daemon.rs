//! A daemon under test: the reconciler on fakes. It can be ended at any of its waits, and started again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use orchestrator_catalog::{Declared, View};
use orchestrator_host::Host;
use orchestrator_host::fake::{FakeMachine, MachineSettings};
use orchestrator_model::{ContainerSpec, HostId, Owner, Phase, Slot, SlotKey, Timestamp};
use orchestrator_reconcile::driver::{self, Driver};
use orchestrator_reconcile::images::{self, Pins, Sweeper};
use orchestrator_reconcile::instance::{Clients, NoFiles, NoRules, Orchestrator, PacketRules, Parts, Want, Wants};
use orchestrator_reconcile::volumes;
use orchestrator_runtime::conditions::{Condition, Conditions};
use orchestrator_runtime::metrics::Metrics;
use orchestrator_runtime::notifications::Notifications;
use orchestrator_runtime::tasks::{TaskStatus, Tasks};
use orchestrator_runtime::usage::VolumeUsages;
use orchestrator_settings::{Current, Settings};
use orchestrator_store::Holding;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock;
use crate::records::Memory;

/// An owner of a kind that is not a client: a service with a number of replicas.
#[derive(Debug, Default)]
pub(crate) struct Replicas {
    pub(crate) count: AtomicU32,
}

pub(crate) fn service() -> Owner {
    Owner::Service("web".to_owned())
}

impl Wants for Replicas {
    fn slots(&self, owner: &Owner, _: Option<&Holding>, _: &Declared, _: Timestamp) -> BTreeMap<Slot, Want> {
        let count = match *owner == service() {
            true => self.count.load(Ordering::Relaxed),
            false => 0,
        };
        let fill = |number| {
            let want = Want::Fill {
                template: "replica".to_owned(),
                network: "br0".to_owned(),
                by_router: false,
                host: Some(HostId::local()),
            };
            (Slot::numbered(number), want)
        };
        (0..count).map(fill).collect()
    }

    fn to_fill(&self) -> Vec<SlotKey> {
        let numbers = 0..self.count.load(Ordering::Relaxed);
        numbers
            .map(|number| SlotKey::new(service(), Slot::numbered(number)))
            .collect()
    }
}

/// A service that gives each client that holds a lease an instance of its own, beside those of its templates.
#[derive(Debug, Default)]
pub(crate) struct PerClient {
    pub(crate) enabled: AtomicBool,
}

/// The slot of a client that the service fills.
pub(crate) fn slot_of_service() -> Slot {
    Slot::of_service("dns")
}

impl Wants for PerClient {
    fn slots(&self, _: &Owner, holding: Option<&Holding>, declared: &Declared, now: Timestamp) -> BTreeMap<Slot, Want> {
        let holds = |holding: &&Holding| holding.active_leases.iter().any(|lease| lease.valid_until > now);
        let Some(holding) = holding.filter(holds) else {
            return BTreeMap::new();
        };
        let (link, class) = (&holding.client.link, holding.client.class.as_deref());
        let wanted = self.slots_of_holder(link, class, declared).into_iter();
        let fill = |slot| {
            let want = Want::Fill {
                template: "dns".to_owned(),
                network: link.clone(),
                by_router: false,
                host: Some(HostId::local()),
            };
            (slot, want)
        };
        wanted.map(fill).collect()
    }

    fn slots_of_holder(&self, _: &str, _: Option<&str>, _: &Declared) -> Vec<Slot> {
        let enabled = self.enabled.load(Ordering::Relaxed);
        enabled.then(slot_of_service).into_iter().collect()
    }
}

/// The slot that a container was made for.
fn slot_of(spec: &ContainerSpec) -> Option<String> {
    let fact = |name: &str| spec.environment.get(name).cloned();
    let owner = fact("ORCHESTRATOR_CLIENT").or_else(|| fact("ORCHESTRATOR_SERVICE"))?;
    Some(format!("{owner} {}", fact("ORCHESTRATOR_SLOT")?))
}

/// What stays when the daemon ends: the machines, the record, and what is wanted.
pub(crate) struct World {
    pub(crate) machine: FakeMachine,
    pub(crate) records: Memory,
    pub(crate) replicas: Arc<Replicas>,
    pub(crate) per_client: Arc<PerClient>,
    pub(crate) hosts: Vec<Arc<dyn Host>>,
    /// What volumes take, as it was measured.
    pub(crate) usages: VolumeUsages,
    pub(crate) metrics: Metrics,
    pub(crate) rules: Arc<dyn PacketRules>,
    settings: Arc<Settings>,
    daemon: Option<Daemon>,
}

/// What ends with the daemon.
struct Daemon {
    orchestrator: Orchestrator,
    sweeper: Sweeper,
    notifications: Notifications,
    conditions: Conditions,
    tasks: Tasks,
    declared: watch::Sender<Arc<Declared>>,
    stop: CancellationToken,
    tracker: TaskTracker,
    running: JoinHandle<()>,
}

/// What the parts of a daemon share.
pub(crate) struct Environment {
    pub(crate) notifications: Notifications,
    pub(crate) driver: Driver,
    pub(crate) stop: CancellationToken,
    pub(crate) tracker: TaskTracker,
    tasks: Tasks,
}

impl World {
    /// A machine on which nothing runs, and no daemon yet.
    pub(crate) fn new(seed: u64, settings: &str) -> Self {
        clock::begin();
        let settings = orchestrator_settings::parse(settings, std::iter::empty()).unwrap();
        let machine = FakeMachine::new(MachineSettings {
            seed,
            engines: settings.engines.names().map(str::to_owned).collect(),
            bridges: vec![("br0".to_owned(), 1023)],
            answers_within: Duration::from_secs(2),
            engine_limit: Duration::from_secs(30),
            slot_of,
        });
        let records = Memory::new(seed, machine.crash_points().clone());
        let hosts: Vec<Arc<dyn Host>> = vec![Arc::new(machine.host("local"))];
        Self {
            machine,
            records,
            replicas: Arc::default(),
            per_client: Arc::default(),
            hosts,
            settings: Arc::new(settings),
            usages: VolumeUsages::default(),
            metrics: Metrics::default(),
            rules: Arc::new(NoRules),
            daemon: None,
        }
    }

    pub(crate) fn start(&mut self) {
        let environment = self.environment();
        self.start_in(environment, Vec::new());
    }

    /// The environment of the next daemon.
    pub(crate) fn environment(&self) -> Environment {
        let (tasks, stop, tracker) = (Tasks::default(), CancellationToken::new(), TaskTracker::new());
        let driver = Driver::new(driver::Parts {
            settings: Current::new(self.settings.clone()).1,
            tasks: tasks.clone(),
            metrics: Metrics::default(),
            tracker: tracker.clone(),
            stop: stop.clone(),
        });
        Environment {
            notifications: Notifications::default(),
            driver,
            stop,
            tracker,
            tasks,
        }
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// What is declared: the settings, and the templates of services.
    fn declared(&self) -> Arc<Declared> {
        let declared = Declared::new(self.settings.clone(), Vec::new());
        Arc::new(declared.with_services(self.records.service_templates(), None))
    }

    /// Starts a daemon that has further owners.
    pub(crate) fn start_in(&mut self, environment: Environment, further: Vec<Arc<dyn Wants>>) {
        assert!(self.daemon.is_none(), "one daemon at a time");
        let Environment {
            notifications,
            driver,
            stop,
            tracker,
            tasks,
        } = environment;
        let (declared, catalog) = View::new(self.declared());
        let conditions = Conditions::default();
        let volumes = volumes::Parts {
            records: Arc::new(self.records.clone()),
            hosts: self.hosts.clone(),
            clock: clock::clock(),
            usages: self.usages.clone(),
            metrics: self.metrics.clone(),
        };
        volumes::register(&driver, volumes);
        let pins = Pins::new(Arc::new(self.records.clone()), self.hosts.clone(), clock::clock());
        let images = images::Parts {
            records: Arc::new(self.records.clone()),
            pins: pins.clone(),
            hosts: self.hosts.clone(),
            catalog: catalog.clone(),
            settings: Current::new(self.settings.clone()).1,
            clock: clock::clock(),
            metrics: Metrics::default(),
        };
        let (_, sweeper) = images::register(&driver, images);
        let orchestrator = Orchestrator::new(Parts {
            catalog,
            records: Arc::new(self.records.clone()),
            own_files: Arc::new(NoFiles),
            rules: self.rules.clone(),
            pins,
            hosts: self.hosts.clone(),
            wants: [
                Arc::new(Clients) as Arc<dyn Wants>,
                self.replicas.clone(),
                self.per_client.clone(),
            ]
            .into_iter()
            .chain(further)
            .collect(),
            clock: clock::clock(),
            notifications: notifications.clone(),
            conditions: conditions.clone(),
            metrics: Metrics::default(),
            driver,
        });
        let running = tokio::spawn({
            let (orchestrator, stop) = (orchestrator.clone(), stop.clone());
            async move { orchestrator.run(stop).await }
        });
        self.daemon = Some(Daemon {
            orchestrator,
            sweeper,
            notifications,
            conditions,
            tasks,
            declared,
            stop,
            tracker,
            running,
        });
    }

    /// Ends the daemon: whatever it was doing is dropped at the wait that it is at.
    pub(crate) async fn kill(&mut self) {
        let Some(daemon) = self.daemon.take() else { return };
        daemon.stop.cancel();
        daemon.running.await.unwrap();
        daemon.tracker.close();
        daemon.tracker.wait().await;
        self.machine.crash_points().disarm();
        self.machine.disconnect();
    }

    /// Something of an owner has changed. Nobody is notified while there is no daemon.
    pub(crate) fn notify(&self, owner: impl Into<Owner>) {
        if let Some(daemon) = &self.daemon {
            daemon.notifications.notify(owner);
        }
    }

    pub(crate) fn hold(&self, number: u8, span: Duration) {
        let client = self.records.hold(number, span);
        self.notify(client);
    }

    pub(crate) fn release(&self, number: u8) {
        let client = self.records.release(number);
        self.notify(client);
    }

    pub(crate) fn scale(&self, count: u32) {
        self.replicas.count.store(count, Ordering::Relaxed);
        self.notify(service());
    }

    /// The sweep of leases, which the daemon makes in another room.
    pub(crate) fn sweep(&self) {
        for client in self.records.expire() {
            self.notify(client);
        }
    }

    pub(crate) fn orchestrator(&self) -> Option<Orchestrator> {
        self.daemon.as_ref().map(|daemon| daemon.orchestrator.clone())
    }

    /// Removes images that nothing uses.
    pub(crate) fn sweeper(&self) -> Option<Sweeper> {
        self.daemon.as_ref().map(|daemon| daemon.sweeper.clone())
    }

    /// Other settings are in force from now on.
    pub(crate) fn reload(&mut self, settings: &str) {
        self.settings = Arc::new(orchestrator_settings::parse(settings, std::iter::empty()).unwrap());
        self.refresh();
    }

    /// The catalog reads again what is declared.
    pub(crate) fn refresh(&self) {
        if let Some(daemon) = &self.daemon {
            daemon.declared.send_replace(self.declared());
        }
    }

    /// Whether a template limits the lifetime of its instances.
    pub(crate) fn has_lifetimes(&self) -> bool {
        let mut templates = self.settings.templates.values();
        templates.any(|template| template.time.lifetime.is_some())
    }

    /// The names of all tasks of the daemon.
    pub(crate) fn tasks(&self) -> Vec<String> {
        let tasks = self.daemon.iter().flat_map(|daemon| daemon.tasks.list());
        tasks.map(|task| task.name).collect()
    }

    /// The task of this name, if there is one.
    pub(crate) fn task(&self, name: &str) -> Option<TaskStatus> {
        let mut tasks = self.daemon.iter().flat_map(|daemon| daemon.tasks.list());
        tasks.find(|task| task.name == name)
    }

    /// The condition of this name, if there is one.
    pub(crate) fn condition(&self, name: &str) -> Option<Condition> {
        let mut conditions = self.daemon.iter().flat_map(|daemon| daemon.conditions.list());
        conditions.find(|condition| condition.name == name)
    }

    /// The slots that are ready now.
    pub(crate) fn ready(&self) -> Vec<SlotKey> {
        let live = self.records.live();
        let ready = live.iter().filter(|instance| instance.phase == Phase::Ready);
        ready.map(|instance| instance.key()).collect()
    }

    /// Waits until this is so, for as long as `within`.
    pub(crate) async fn until(&self, within: Duration, what: &str, is_so: impl Fn(&Self) -> bool) {
        let began = tokio::time::Instant::now();
        while !is_so(self) {
            assert!(began.elapsed() < within, "not within {within:?}: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
