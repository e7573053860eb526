//! A machine in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orchestrator_plugin::ContainerSpec;
use tokio::sync::Notify;

use super::state::EngineState;
use super::{CrashPoints, FakeBridge, FakeHost, FakeState, Faults, Random};

/// The parts of a fake machine.
#[derive(Debug, Clone)]
pub struct MachineSettings {
    /// Decides what fails.
    pub seed: u64,
    /// Its engines, by their names in the settings.
    pub engines: Vec<String>,
    /// Its bridges, each with so many ports for attachments.
    pub bridges: Vec<(String, usize)>,
    /// The longest time that an instance takes to answer after its start.
    pub answers_within: Duration,
    /// How long an engine may take before a call fails.
    pub engine_limit: Duration,
    /// The slot that a container was made for, by what it was made as. Two instances in one slot are a violation.
    pub slot_of: fn(&ContainerSpec) -> Option<String>,
}

impl Default for MachineSettings {
    fn default() -> Self {
        Self {
            seed: 0,
            engines: vec!["docker".to_owned()],
            bridges: vec![("br0".to_owned(), 1023)],
            answers_within: Duration::from_millis(100),
            engine_limit: Duration::from_secs(30),
            slot_of: |_| None,
        }
    }
}

/// A machine in memory. A cheap handle: all clones are one machine.
#[derive(Debug, Clone)]
pub struct FakeMachine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<FakeState>,
    changed: Notify,
    crash_points: CrashPoints,
}

impl FakeMachine {
    /// A machine with nothing on it, which does not fail yet.
    pub fn new(settings: MachineSettings) -> Self {
        let engines = settings.engines.iter().map(|name| (name.clone(), EngineState::Up));
        let bridges = (1..).zip(&settings.bridges);
        let bridges = bridges.map(|(index, (name, ports))| (name.clone(), FakeBridge::new(index, *ports)));
        let state = FakeState {
            random: Random::new(settings.seed),
            faults: Faults::none(),
            engines: engines.collect(),
            watchers: Vec::new(),
            starts: 0,
            indexes: u32::try_from(settings.bridges.len()).unwrap_or(u32::MAX),
            generations: BTreeMap::new(),
            containers: BTreeMap::new(),
            attachments: BTreeMap::new(),
            volumes: BTreeMap::new(),
            capacity: Default::default(),
            volume_limits: BTreeMap::new(),
            bridges: bridges.collect(),
            routes: Vec::new(),
            policy: BTreeMap::new(),
            filter: Default::default(),
            refused_policy: Default::default(),
            policy_counts: Default::default(),
            examination: None,
            mended: Vec::new(),
            forwards: true,
            silent: Default::default(),
            images: Default::default(),
            logs_hang: false,
            keeps: false,
            violations: Vec::new(),
            calls: BTreeMap::new(),
            under_way: BTreeMap::new(),
            settings,
        };
        Self {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                changed: Notify::new(),
                crash_points: CrashPoints::default(),
            }),
        }
    }

    /// A daemon's way to the machine, under this name.
    pub fn host(&self, name: &str) -> FakeHost {
        FakeHost::new(name, self.clone())
    }

    /// The waits at which the daemon can be ended.
    pub fn crash_points(&self) -> &CrashPoints {
        &self.shared.crash_points
    }

    /// Reads what the machine has, or changes it. Nobody is notified of a change; the methods that change one thing
    /// by hand do that.
    pub fn with<T>(&self, look: impl FnOnce(&mut FakeState) -> T) -> T {
        let outcome = look(&mut self.state());
        self.shared.changed.notify_waiters();
        outcome
    }

    /// Fails from now on as often as this.
    pub fn set_faults(&self, faults: Faults) {
        self.with(|state| state.faults = faults);
    }

    /// What must never happen and did.
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// How often a verb was called.
    pub fn calls(&self, verb: &str) -> u64 {
        self.state().calls.get(verb).copied().unwrap_or(0)
    }

    /// Ends every connection to the machine, as the end of the daemon does.
    pub fn disconnect(&self) {
        self.with(|state| {
            state.watchers.clear();
            state.under_way.clear();
        });
    }

    /// Returns at the next change of the machine.
    pub(super) async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    pub(super) fn state(&self) -> MutexGuard<'_, FakeState> {
        // Nothing that holds the lock can panic half-way through a change.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
