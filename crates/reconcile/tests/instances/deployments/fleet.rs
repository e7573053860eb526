//! A daemon with services under test. It can be ended at any of its waits, and started again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use orchestrator_host::fake::Random;
use orchestrator_model::{
    Endpoints, HostId, HostState, Instance, Operation, OperationKind, OperationState, Owner, Phase, RecordedService,
    ServiceSlot, Slot, SlotKey, SlotState,
};
use orchestrator_reconcile::instance::Orchestrator;
use orchestrator_reconcile::services::{HostLoads, Parts, Services};
use orchestrator_runtime::conditions::Conditions;
use orchestrator_runtime::routers::{BALANCER, Routers};
use orchestrator_service::ServiceSpec;
use orchestrator_service::place::KnownHost;
use orchestrator_settings::{Current, TemplateSettings};
use orchestrator_store::ServiceChange;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::router::{InForce, run};
use super::watch::Watch;
use crate::clock;
use crate::daemon::World;

pub(super) const SETTINGS: &str = r#"
    [engine.docker]
    [[link]]
    bridge = "br0"
    address = "fd00::1/64"
    pool = "fd00::1:0/112"
    instances = "fd00::2:0/112"
    [[link]]
    bridge = "br1"
    address = "fd01::1/64"
    pool = "fd01::1:0/112"
    instances = "fd01::2:0/112"
"#;

/// An image whose instances never answer.
pub(super) const BROKEN: &str = "broken";

/// Time for everything to be done that can be.
pub(super) const SOON: Duration = Duration::from_secs(120);

pub(super) struct Fleet {
    pub(super) world: World,
    /// The balancer, which counts connections, and names, which do not.
    pub(super) routers: [InForce; 2],
    pub(super) watch: Watch,
    looks: AbortHandle,
    pub(super) endpoints: watch::Receiver<Arc<Endpoints>>,
    services: Option<Services>,
    /// What services wait for.
    pub(super) conditions: Conditions,
    /// The hosts that services may be placed on.
    pub(super) known: watch::Sender<Arc<Vec<KnownHost>>>,
    /// How often somebody asked what a host carries.
    pub(super) loads: Arc<AtomicU64>,
    lag: Duration,
    random: Random,
}

/// The loads of hosts, with a count of the questions.
struct Counted {
    orchestrator: Orchestrator,
    count: Arc<AtomicU64>,
}

impl HostLoads for Counted {
    fn load(&self, host: &HostId, template: &TemplateSettings, slot: Option<&SlotKey>) -> (u64, bool) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.orchestrator.load(host, template, slot)
    }

    fn granted(&self, owner: &Owner) -> BTreeSet<Slot> {
        self.orchestrator.granted(owner)
    }

    fn held_up(&self, slot: &SlotKey) -> Option<String> {
        self.orchestrator.held_up(slot)
    }
}

/// The keys of the service `web`, with an image and a number of instances.
pub(super) fn web(image: &str, count: u32) -> Value {
    json!({
        "name": "web",
        "instances": count,
        "network": "br0",
        "image": image,
        "ports": { "http": 80 },
        "health": { "tcp": "http", "every": "1s", "timeout": "500ms", "failures": 2, "successes": 1 },
        "strategy": { "drain": "20s", "within": "30s", "failures": 2 },
        "route": [{ "host": "web.example", "path": "/", "port": "http" }],
    })
}

/// An active host.
pub(super) fn known(name: &str, roles: &[&str]) -> KnownHost {
    KnownHost {
        id: HostId::new(name),
        name: name.to_owned(),
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        state: HostState::Active,
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.looks.abort();
    }
}

impl Fleet {
    pub(super) fn new(seed: u64, lag: Duration) -> Self {
        let world = World::new(seed, SETTINGS);
        world.machine.with(|state| state.silent.insert(BROKEN.to_owned()));
        world.machine.add_bridge("br1", 1023);
        let routers = [InForce::default(), InForce::default()];
        let (watch, looks) = Watch::begin(&world.machine, &routers);
        Self {
            watch,
            looks,
            world,
            routers,
            endpoints: watch::channel(Arc::default()).1,
            services: None,
            conditions: Conditions::default(),
            known: watch::channel(Arc::new(vec![known("local", &[])])).0,
            loads: Arc::default(),
            lag,
            random: Random::new(seed ^ 0x1eaf),
        }
    }

    /// A daemon whose service `web` serves, and has a version to go back to.
    pub(super) async fn serving(seed: u64, count: u32) -> Self {
        let mut fleet = Self::new(seed, Duration::from_millis(300));
        fleet.start().await;
        fleet.deploy(web("one", count));
        assert_eq!(fleet.ended("web").await.state, OperationState::Done);
        fleet.good("web").await;
        fleet.watch.promise("web", count as usize);
        fleet
    }

    pub(super) async fn start(&mut self) {
        self.world.records.take_over();
        let environment = self.world.environment();
        let (sender, endpoints) = watch::channel(Arc::default());
        let routers = Routers::default();
        let services = loop {
            let opened = Services::open(Parts {
                settings: Current::new(self.world.settings().clone()).1,
                records: Arc::new(self.world.records.clone()),
                hosts: self.world.hosts.clone(),
                known_hosts: self.known.subscribe(),
                routers: routers.clone(),
                endpoints: sender.clone(),
                clock: clock::clock(),
                notifications: environment.notifications.clone(),
                conditions: self.conditions.clone(),
                driver: environment.driver.clone(),
                tracker: environment.tracker.clone(),
                stop: environment.stop.clone(),
            });
            if let Ok(services) = opened.await {
                break services;
            }
        };
        for (number, name) in [BALANCER, "names"].into_iter().enumerate() {
            let router = run(
                routers.register(name),
                endpoints.clone(),
                self.routers[number].clone(),
                self.lag,
                Random::new(self.random.below(u64::MAX)),
                number == 0,
            );
            let stop = environment.stop.clone();
            environment.tracker.spawn(async move {
                stop.run_until_cancelled(router).await;
            });
        }
        self.endpoints = endpoints;
        let wants = services.wants();
        self.world.start_in(environment, vec![Arc::new(wants)]);
        services.register(Arc::new(Counted {
            orchestrator: self.world.orchestrator().unwrap(),
            count: self.loads.clone(),
        }));
        self.services = Some(services);
    }

    pub(super) async fn kill(&mut self) {
        self.services = None;
        self.world.kill().await;
    }

    /// Ends the daemon after so many more of its waits, or after a minute, and starts the next one.
    pub(super) async fn crash(&mut self, waits: u64) {
        self.world.machine.crash_points().crash_after(waits);
        let crashed = self.world.machine.crash_points().clone();
        let _ = tokio::time::timeout(Duration::from_secs(60), crashed.crashed()).await;
        self.kill().await;
        self.start().await;
    }

    pub(super) fn spec(&self, keys: &Value) -> ServiceSpec {
        ServiceSpec::read(keys, self.world.settings()).unwrap()
    }

    /// An operator deploys a file.
    pub(super) fn deploy(&self, keys: Value) {
        self.deploy_before_refresh(keys);
        self.world.refresh();
    }

    /// The same, and the catalog has not read it yet.
    pub(super) fn deploy_before_refresh(&self, keys: Value) {
        let spec = self.spec(&keys);
        let before = {
            let state = self.world.records.state();
            let versions = state.services.versions.get(&spec.name);
            let force = state.services.all.get(&spec.name).map(|service| service.version);
            let found = versions.into_iter().flatten().find(|one| Some(one.version) == force);
            found.map(|found| serde_json::from_str(&found.spec).unwrap())
        };
        let before = before.map(|keys: Value| self.spec(&keys));
        let keeps = before.is_some_and(|before| {
            let same_instances =
                (&before.template, &before.network, &before.ports) == (&spec.template, &spec.network, &spec.ports);
            same_instances && before.placement == spec.placement
        });
        self.world.records.deploy(OperationKind::Deploy, &spec, keeps);
    }

    /// An operator has all instances replaced.
    pub(super) fn bump(&self, keys: &Value) {
        self.world.records.deploy(OperationKind::Bump, &self.spec(keys), false);
        self.world.refresh();
    }

    pub(super) fn scale(&self, count: u32) {
        let change = ServiceChange::Scale {
            instances: count,
            oldest_first: false,
        };
        self.world.records.change("web", change);
    }

    /// Waits for the end of the last operation on a service.
    pub(super) async fn ended(&self, name: &str) -> Operation {
        let running = |world: &World| {
            let operation = world.records.operation(name);
            operation.is_none_or(|operation| operation.state == OperationState::Running)
        };
        self.world
            .until(5 * SOON, "the operation ends", |world| !running(world))
            .await;
        self.world.records.operation(name).unwrap()
    }

    /// The service as it is recorded.
    pub(super) fn recorded(&self, name: &str) -> RecordedService {
        self.world.records.state().services.all[name].clone()
    }

    /// Waits until the version in force is one to go back to.
    pub(super) async fn good(&self, name: &str) {
        let is_good = |world: &World| {
            let state = world.records.state();
            let service = &state.services.all[name];
            service.good_version == Some(service.version)
        };
        self.world.until(SOON, "the version is good", is_good).await;
    }

    pub(super) fn slots(&self, name: &str) -> Vec<ServiceSlot> {
        let state = self.world.records.state();
        let slots = state.services.slots.get(name);
        slots.into_iter().flat_map(|slots| slots.values().cloned()).collect()
    }

    /// The live instances of a service.
    pub(super) fn instances(&self, name: &str) -> Vec<Instance> {
        let mut live = self.world.records.live();
        live.retain(|instance| instance.owner == Owner::Service(name.to_owned()));
        live
    }

    /// The images of a service's live instances.
    pub(super) fn images(&self, name: &str) -> Vec<String> {
        let live = self.instances(name).into_iter();
        live.map(|instance| instance.containers[0].image.clone()).collect()
    }

    /// What must hold when everything has come to rest: `count` slots of the version in force are served, and there is
    /// nothing else.
    pub(super) fn judge(&self, name: &str, count: usize) -> Result<(), String> {
        let (slots, live) = (self.slots(name), self.instances(name));
        let version = self.world.records.state().services.all.get(name).map(|one| one.version);
        let as_wanted = |slot: &ServiceSlot| Some(slot.version) == version && slot.state == SlotState::Wanted;
        if slots.len() != count || !slots.iter().all(as_wanted) {
            return Err(format!("{count} slots of version {version:?} are wanted: {slots:?}"));
        }
        let filled = |slot: &ServiceSlot| {
            let instance = live.iter().find(|instance| instance.slot == slot.slot());
            instance.is_some_and(|instance| instance.phase == Phase::Ready)
        };
        if live.len() != count || !slots.iter().all(filled) {
            return Err(format!("{slots:?} are wanted, {live:?} are there"));
        }
        let endpoints = self.endpoints.borrow().clone();
        let serving = endpoints
            .services
            .get(name)
            .map_or(0, |service| service.serving().count());
        if serving != count {
            return Err(format!("{serving} serve of {count}: {endpoints:?}"));
        }
        self.judge_machine()
    }

    /// What is recorded is there, once, and nothing else is.
    pub(super) fn judge_machine(&self) -> Result<(), String> {
        if let Some(violation) = self.world.machine.violations().first() {
            return Err(violation.clone());
        }
        let mut recorded: Vec<_> = self.world.records.live().iter().map(|instance| instance.id).collect();
        recorded.sort();
        let there: Vec<_> = self
            .world
            .machine
            .with(|state| state.containers.keys().map(|(id, _)| *id).collect());
        match there == recorded {
            true => Ok(()),
            false => Err(format!("{there:?} are there, {recorded:?} are recorded")),
        }
    }

    /// Nothing is left of any service.
    pub(super) async fn nothing_is_left(&mut self) {
        self.world
            .until(5 * SOON, "all of it is gone", |world| world.records.live().is_empty())
            .await;
        let world = &self.world;
        assert!(
            world
                .records
                .state()
                .services
                .slots
                .values()
                .all(|slots| slots.is_empty())
        );
        let rests = world
            .machine
            .with(|state| (state.containers.len(), state.attachments.len()));
        assert_eq!(rests, (0, 0));
        assert_eq!(world.machine.violations(), Vec::<String>::new());
        self.kill().await;
    }
}
