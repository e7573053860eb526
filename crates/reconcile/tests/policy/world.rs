//! A daemon that keeps the policy, on fakes. It can be ended at any of its waits, and started again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_host::fake::{FakeMachine, MachineSettings};
use orchestrator_host::{PolicyItem, PolicyKey};
use orchestrator_model::{Instance, Owner, Phase};
use orchestrator_policy::{Links, Policy};
use orchestrator_reconcile::driver::{Driver, Parts as DriverParts};
use orchestrator_reconcile::instance::PacketRules;
use orchestrator_reconcile::policy::{self, Rules};
use orchestrator_runtime::conditions::Conditions;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_runtime::notifications::Notifications;
use orchestrator_runtime::tasks::Tasks;
use orchestrator_settings::{Current, Settings};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::record::{Memory, client_id, instance, lease};

/// Settings of one link, "br0", with this line in its table.
pub(crate) fn settings(line: &str) -> String {
    format!(
        "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\ninstances = \
         \"fd39::2:0/112\"\ntemplate = \"web\"\n{line}\n[template.web]\nimage = \"web\"\n"
    )
}

/// An isolated link with a front door.
pub(crate) const ISOLATED: &str = "isolation = true\nbind_ports = true\nfront_door = \"fd39::d0\"";

/// What stays when the daemon ends, and the daemon.
pub(crate) struct World {
    pub(crate) machine: FakeMachine,
    pub(crate) records: Memory,
    pub(crate) conditions: Conditions,
    pub(crate) notifications: Notifications,
    settings: watch::Sender<Arc<Settings>>,
    current: Current,
    daemon: Option<(CancellationToken, TaskTracker, Rules)>,
}

impl World {
    pub(crate) fn new(seed: u64, line: &str) -> Self {
        let machine = FakeMachine::new(MachineSettings {
            seed,
            ..MachineSettings::default()
        });
        let (settings, current) = Current::new(parse(line));
        Self {
            records: Memory::new(machine.crash_points().clone()),
            machine,
            conditions: Conditions::default(),
            notifications: Notifications::default(),
            settings,
            current,
            daemon: None,
        }
    }

    /// A world whose daemon has done what there is to do at its start.
    pub(crate) async fn started(seed: u64, line: &str) -> Self {
        let mut world = Self::new(seed, line);
        world.start();
        after(1).await;
        world
    }

    pub(crate) fn reload(&self, line: &str) {
        self.settings.send_replace(parse(line));
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
        let (rules, requests) = Rules::new(self.current.clone());
        let parts = policy::Parts {
            settings: self.current.clone(),
            records: Arc::new(self.records.clone()),
            host: Arc::new(self.machine.host("local")),
            notifications: self.notifications.clone(),
            requests,
            conditions: self.conditions.clone(),
        };
        policy::register(&driver, parts);
        self.daemon = Some((stop, tracker, rules));
    }

    /// Ends the daemon when it is cancelled.
    pub(crate) fn stop(&self) -> CancellationToken {
        let stop = self.daemon.as_ref().map(|(stop, _, _)| stop.clone());
        stop.expect("a daemon")
    }

    /// Ends the daemon without a farewell.
    pub(crate) async fn kill(&mut self) {
        let Some((stop, tracker, _)) = self.daemon.take() else {
            return;
        };
        stop.cancel();
        tracker.close();
        tracker.wait().await;
        self.machine.crash_points().disarm();
        self.machine.disconnect();
    }

    /// A client holds its lease, and speaks from this place.
    pub(crate) fn hold(&self, number: u8, place: u8) {
        let owner = Owner::Client(client_id(number));
        let mut moved = false;
        self.records.change(&owner, |facts| {
            moved = !facts.leases.is_empty();
            facts.leases = vec![lease(number, place)];
        });
        // As the recorder does: a renewal is no event.
        match moved {
            true => self.notifications.notify_place(client_id(number)),
            false => self.records.tell(&owner),
        }
    }

    /// The lease of a client ends.
    pub(crate) fn release(&self, number: u8) {
        let owner = Owner::Client(client_id(number));
        self.records.change(&owner, |facts| facts.leases.clear());
        self.records.tell(&owner);
    }

    /// An instance of the owner is recorded in this phase, in place of the one that it had. Returns it.
    pub(crate) fn place(&self, owner: &Owner, number: u8, phase: Phase) -> Instance {
        let instance = instance(owner, number, phase);
        self.records
            .change(owner, |facts| facts.instances = vec![instance.clone()]);
        self.records.tell(owner);
        instance
    }

    /// The instances of an owner are removed.
    pub(crate) fn clear(&self, owner: &Owner) {
        self.records.change(owner, |facts| facts.instances.clear());
        self.records.tell(owner);
    }

    /// Whether the rules of an instance are in force.
    pub(crate) async fn ask(&self, instance: &Instance) -> Result<(), String> {
        let rules = self.daemon.as_ref().map(|(_, _, rules)| rules.clone());
        rules.expect("a daemon").in_force(instance).await
    }

    /// What the machine lets pass.
    pub(crate) fn policy(&self) -> BTreeMap<PolicyKey, PolicyItem> {
        self.machine.with(|state| state.policy.clone())
    }

    /// What it is to let pass by the settings and all that is recorded.
    pub(crate) fn wanted(&self) -> BTreeMap<PolicyKey, PolicyItem> {
        let settings = self.current.get();
        let mut policy = Policy::new(Links::of(&settings, settings.metadata.address));
        for facts in self.records.lock().owners.values() {
            policy.set_owner(facts);
        }
        policy.whole().into_iter().map(|item| (item.key(), item)).collect()
    }

    /// Whether the machine lets pass what it is to, and nothing else.
    #[track_caller]
    pub(crate) fn is_right(&self) {
        assert_eq!(self.policy(), self.wanted());
    }

    pub(crate) fn condition(&self) -> Option<(bool, String)> {
        let all = self.conditions.list();
        let found = all.into_iter().find(|condition| condition.name == policy::CONDITION)?;
        Some((found.ok, found.reason.unwrap_or_default()))
    }
}

fn parse(line: &str) -> Arc<Settings> {
    Arc::new(orchestrator_settings::parse(&settings(line), std::iter::empty()).unwrap())
}

/// Lets time pass.
pub(crate) async fn after(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}
