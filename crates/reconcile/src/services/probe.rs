//! Checks of instances: one task an instance, a bounded number of checks at once.

mod check;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use orchestrator_host::Host;
use orchestrator_model::{Health, HostId, Instance, InstanceId};
use orchestrator_service::health::Checked;
use orchestrator_service::{Health as Check, Probe};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use self::check::Target;

/// Checks that are under way at once.
const AT_ONCE: usize = 256;

/// Checks of one service that are under way at once: one whose instances do not answer holds up no other.
const OF_ONE_SERVICE: usize = 16;

/// The time between the first two checks of an instance that has not passed yet. It doubles with each check.
const HASTE: Duration = Duration::from_millis(20);
/// The longest time between two checks of an instance that has not passed yet.
const PATIENCE: Duration = Duration::from_millis(500);

/// The detail of an instance whose check by command found no place among the commands of its engine.
const NO_PLACE: &str = "not checked: its engine runs as many commands as it may; end some, or raise its limits";

/// Checks instances. A cheap handle.
#[derive(Clone)]
pub(super) struct Prober {
    shared: Arc<Shared>,
}

struct Shared {
    hosts: BTreeMap<HostId, Arc<dyn Host>>,
    tracker: TaskTracker,
    stop: CancellationToken,
    permits: Semaphore,
    entries: Mutex<HashMap<InstanceId, Entry>>,
    wake: Box<dyn Fn(&str) + Send + Sync>,
}

struct Entry {
    service: String,
    target: Target,
    check: Check,
    checked: Checked,
    detail: Option<String>,
    /// The permits of all checks of the service.
    permits: Arc<Semaphore>,
    /// Ends the task of the instance.
    _task: DropGuard,
}

impl Prober {
    pub(super) fn new(
        hosts: BTreeMap<HostId, Arc<dyn Host>>,
        tracker: TaskTracker,
        stop: CancellationToken,
        wake: Box<dyn Fn(&str) + Send + Sync>,
    ) -> Self {
        let shared = Shared {
            hosts,
            tracker,
            stop,
            permits: Semaphore::new(AT_ONCE),
            entries: Mutex::default(),
            wake,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<InstanceId, Entry>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.shared.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks an instance from now on like this, and says what is known of it: its health, and what the last failed check
    /// found. An instance that was not checked yet begins with what is recorded.
    pub(super) fn check(
        &self,
        service: &str,
        instance: &Instance,
        check: &Check,
        port: Option<u16>,
        recorded: Health,
    ) -> (Health, Option<String>) {
        let Some(target) = Target::of(instance, &check.probe, port) else {
            return (Health::Unknown, None);
        };
        let mut entries = self.entries();
        if let Some(entry) = entries.get(&instance.id)
            && entry.target == target
            && entry.check == *check
        {
            return (model(entry.checked.health()), entry.detail.clone());
        }
        // Another check says nothing about the results of the one before, but the instance is what it was.
        let recorded = entries
            .get(&instance.id)
            .map_or(recorded, |entry| model(entry.checked.health()));
        let stop = self.shared.stop.child_token();
        let others = entries.values().find(|entry| entry.service == service);
        let permits = others.map_or_else(
            || Arc::new(Semaphore::new(OF_ONE_SERVICE)),
            |entry| entry.permits.clone(),
        );
        let entry = Entry {
            permits: permits.clone(),
            service: service.to_owned(),
            target: target.clone(),
            check: check.clone(),
            checked: Checked::recorded(own(recorded)),
            detail: None,
            _task: stop.clone().drop_guard(),
        };
        entries.insert(instance.id, entry);
        let (prober, id, host, check) = (self.clone(), instance.id, instance.host.clone(), check.clone());
        self.shared.tracker.spawn(async move {
            stop.run_until_cancelled(prober.run(id, host, target, check, &permits))
                .await;
        });
        (recorded, None)
    }

    /// Checks no instance of a service but these.
    pub(super) fn keep(&self, service: &str, instances: &BTreeSet<InstanceId>) {
        self.entries()
            .retain(|id, entry| entry.service != service || instances.contains(id));
    }

    /// What the last check of an instance found, if it failed.
    pub(super) fn detail(&self, id: InstanceId) -> Option<String> {
        self.entries().get(&id)?.detail.clone()
    }

    async fn run(&self, id: InstanceId, host: Option<HostId>, target: Target, check: Check, of_service: &Semaphore) {
        let Some(host) = host.and_then(|host| self.shared.hosts.get(&host)) else {
            return;
        };
        for tries in 0.. {
            let result = {
                // Its own service's permit first: who waits for that holds none of the others'.
                let (Ok(_own), Ok(_permit)) = (of_service.acquire().await, self.shared.permits.acquire().await) else {
                    return;
                };
                target.check(host.as_ref(), check.timeout).await
            };
            let Some(result) = result else {
                self.skip(id, &target, &check);
                sleep(check.every).await;
                continue;
            };
            let passed = result.is_ok();
            let Some(health) = self.take(id, &target, &check, result) else {
                return;
            };
            sleep(pause(health, passed, check.every, tries)).await;
        }
    }

    /// Says that an instance could not be checked. Its health stays as it was.
    fn skip(&self, id: InstanceId, target: &Target, check: &Check) {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(&id) else { return };
        if entry.target != *target || entry.check != *check || entry.detail.as_deref() == Some(NO_PLACE) {
            return;
        }
        entry.detail = Some(NO_PLACE.to_owned());
        let service = entry.service.clone();
        drop(entries);
        tracing::warn!(service, instance = %id, "{NO_PLACE}");
        (self.shared.wake)(&service);
    }

    /// Takes a result. `None` when the instance is not checked like this any more.
    fn take(&self, id: InstanceId, target: &Target, check: &Check, result: Result<(), String>) -> Option<Health> {
        let mut entries = self.entries();
        let entry = entries.get_mut(&id)?;
        if entry.target != *target || entry.check != *check {
            return None;
        }
        let changed = entry.checked.take(result.is_ok(), check);
        entry.detail = result.err().or(entry.detail.take().filter(|_| changed.is_none()));
        let (service, health) = (entry.service.clone(), model(entry.checked.health()));
        drop(entries);
        if changed.is_some() {
            (self.shared.wake)(&service);
        }
        Some(health)
    }
}

/// How long to wait until the next check, after so many before the last one. Until an instance answers for the first time, it is
/// checked more often. If it has to answer several times, these are as far apart as asked for.
fn pause(health: Health, passed: bool, every: Duration, tries: u32) -> Duration {
    match (health, passed) {
        (Health::Unknown, false) => HASTE.saturating_mul(1 << tries.min(8)).min(PATIENCE).min(every),
        _ => every,
    }
}

/// The health in words of the record.
fn model(health: orchestrator_service::health::Health) -> Health {
    match health {
        orchestrator_service::health::Health::Unknown => Health::Unknown,
        orchestrator_service::health::Health::Passing => Health::Passing,
        orchestrator_service::health::Health::Failing => Health::Failing,
    }
}

/// The health in words of the service's checks.
pub(super) fn own(health: Health) -> orchestrator_service::health::Health {
    match health {
        Health::Unknown => orchestrator_service::health::Health::Unknown,
        Health::Passing => orchestrator_service::health::Health::Passing,
        Health::Failing => orchestrator_service::health::Health::Failing,
    }
}

/// The name of the port that a check connects to.
pub(super) fn port_of(probe: &Probe) -> Option<&str> {
    match probe {
        Probe::Http { port, .. } | Probe::Tcp { port } => Some(port),
        Probe::Exec { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_just_started_is_checked_soon_again_and_never_less_often_than_asked_for() {
        let millis = |tries| pause(Health::Unknown, false, Duration::from_secs(2), tries).as_millis();
        assert_eq!(
            [0, 1, 2, 3, 4, 5, u32::MAX].map(millis),
            [20, 40, 80, 160, 320, 500, 500]
        );
        let often = Duration::from_millis(100);
        assert_eq!(pause(Health::Unknown, false, often, 9), often);
        let every = Duration::from_secs(2);
        assert_eq!(pause(Health::Unknown, true, every, 0), every, "it is to answer again");
        assert_eq!(pause(Health::Passing, true, every, 0), every);
        assert_eq!(pause(Health::Passing, false, every, 0), every);
        assert_eq!(pause(Health::Failing, false, every, 0), every);
    }
}
