//! Services with an instance for each client: a new version takes the place of the earlier one, a few clients at a time.
//!
//! The instance of an earlier version is taken away, after the grace period of its template; when it is gone, the client gets
//! one of the version in force. The next client's turn comes when that one is ready. If it is not in time, the version is
//! given up, and those who have it get the last good one back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use orchestrator_model::{ClientId, Instance, Phase, Timestamp, service_of_template};
use orchestrator_service::{Instances, PerClient};
use orchestrator_store::{RollOutcome, ServiceUpdate, StoreError};

use super::Services;
use super::board::Wanted;
use super::reading::Reading;

/// How long a new instance may take until it is ready.
const WITHIN: Duration = Duration::from_secs(60);

/// One client in so many has its instance replaced at once; at least one has.
const ONE_IN: usize = 10;

/// How long after a deployment the first instance is awaited, before the service is taken for one without clients.
const FIRST: Duration = Duration::from_secs(5);

/// The clients whose turn it is, and since when they are observed without an instance.
pub(super) type Turns = BTreeMap<ClientId, Option<Timestamp>>;

/// The version of a service that an instance was made from.
pub(super) fn version_of(instance: &Instance) -> Option<u64> {
    service_of_template(&instance.template).map(|(_, version)| version)
}

/// Whose turn it is now. A turn is over when the client's instance of the version in force is ready, or when the client has
/// had none for a while: it may be gone.
fn next_turns(before: &Turns, instances: &[Instance], version: u64, paused: bool, now: Timestamp) -> Turns {
    let of: BTreeMap<ClientId, &Instance> = instances.iter().filter_map(|one| Some((one.client()?, one))).collect();
    let kept = before.iter().filter_map(|(client, since)| match of.get(client) {
        Some(one) => {
            let is_on = version_of(one) != Some(version) || one.phase != Phase::Ready;
            is_on.then_some((*client, None))
        }
        None => {
            let since = since.unwrap_or(now);
            (now < since.plus(WITHIN)).then_some((*client, Some(since)))
        }
    });
    let mut turns: Turns = kept.collect();
    let waits = |one: &&Instance| {
        let lives = matches!(one.phase, Phase::Pending | Phase::Starting | Phase::Ready);
        lives && version_of(one) != Some(version) && !paused
    };
    let mut waiting: Vec<&Instance> = instances.iter().filter(waits).collect();
    // Replacing one that is not ready costs nothing.
    waiting.sort_by_key(|one| (one.phase == Phase::Ready, one.id));
    let most = instances.len().div_ceil(ONE_IN).max(1);
    for client in waiting.into_iter().filter_map(Instance::client) {
        if turns.len() >= most {
            break;
        }
        turns.entry(client).or_insert(None);
    }
    turns
}

impl Services {
    /// The clients whose instance of an earlier version is taken away now. One whose is gone gets another.
    pub(super) fn replaced(&self, reading: &Reading) -> BTreeSet<ClientId> {
        let (service, instances) = (&reading.situation.service, &reading.situation.instances);
        if service.instances.is_some() || reading.target().is_none() {
            return BTreeSet::new();
        }
        let mut all = self.turns();
        let before = all.remove(&service.name).unwrap_or_default();
        let now = self.inner.clock.now();
        let turns = next_turns(&before, instances, service.version, service.paused.is_some(), now);
        let earlier = instances.iter().filter(|one| version_of(one) != Some(service.version));
        let earlier = earlier
            .filter_map(Instance::client)
            .filter(|client| turns.contains_key(client));
        let replaced = earlier.collect();
        all.insert(service.name.clone(), turns);
        replaced
    }

    /// Notifies the clients whose wants are others than before.
    pub(super) async fn notify_clients(
        &self,
        reading: &Reading,
        wanted: &Wanted,
        before: Option<&Wanted>,
    ) -> Result<(), StoreError> {
        let notifications = &self.inner.notifications;
        if let (Some(Wanted::PerClient(was, old, before)), Wanted::PerClient(is, new, now)) = (before, wanted)
            && (was, old) == (is, new)
        {
            let changed = before.symmetric_difference(now);
            changed.for_each(|client| notifications.notify(*client));
            return Ok(());
        }
        let of_service = reading.situation.instances.iter().filter_map(Instance::client);
        of_service.for_each(|client| notifications.notify(client));
        let Wanted::PerClient(clients, ..) = wanted else {
            return Ok(());
        };
        let settings = self.inner.settings.get();
        for link in settings.links.iter().filter(|link| link.instances.is_some()) {
            if matches!(clients, PerClient::Link(name) if *name != link.name) {
                continue;
            }
            notifications.unmute(&link.name);
            let all = self.inner.records.wanting(&link.name).await?.into_iter();
            all.for_each(|one| notifications.notify(one.client));
        }
        Ok(())
    }

    /// What is to be recorded of a service with an instance for each client, and when to look again.
    pub(super) fn roll_clients(&self, reading: &Reading) -> (Option<ServiceUpdate>, Option<Timestamp>) {
        let (situation, now) = (&reading.situation, self.inner.clock.now());
        let service = &situation.service;
        let turns = self.turns().get(&service.name).cloned().unwrap_or_default();
        let current = || {
            situation
                .instances
                .iter()
                .filter(|one| version_of(one) == Some(service.version))
        };
        let is_first = service.good_version.is_none() && situation.operation.is_some();
        let is_coming = |one: &Instance| matches!(one.phase, Phase::Pending | Phase::Starting);
        // In a first version nobody has a turn. In a later one, an instance of a new client proves nothing against it.
        let late = current().find(|one| {
            let has_turn = one.client().is_some_and(|client| turns.contains_key(&client));
            let is_due = service.paused.is_none() && now >= one.created.plus(WITHIN);
            is_due && is_coming(one) && (has_turn || is_first)
        });
        let is_first_awaited = situation.instances.is_empty() && now < service.changed.plus(FIRST);
        let serves = current().any(|one| one.phase == Phase::Ready);
        let is_settled = turns.is_empty()
            && !is_first_awaited
            && (serves || !current().any(is_coming))
            && situation
                .instances
                .iter()
                .all(|one| version_of(one) == Some(service.version) || one.phase != Phase::Ready);
        let outcome = match (late, service.good_version) {
            (Some(late), good) if good != Some(service.version) && service.given_up != Some(service.version) => {
                Some(RollOutcome::GaveUp {
                    version: service.version,
                    back_to: good,
                    reason: format!(
                        "instance {} is not ready after {} seconds: {}",
                        late.id,
                        WITHIN.as_secs(),
                        late.reason.as_deref().unwrap_or("nothing is known of it")
                    ),
                })
            }
            _ if is_settled && serves && service.good_version != Some(service.version) => Some(RollOutcome::Good {
                version: service.version,
            }),
            _ => None,
        };
        let settled = is_settled && situation.operation.is_some();
        let update = (outcome.is_some() || settled).then(|| ServiceUpdate {
            service: service.name.clone(),
            generation: service.generation,
            slots: Vec::new(),
            failures: None,
            outcome,
            settled,
            waits: None,
            at: now,
        });
        let gone = turns
            .values()
            .filter_map(|since| *since)
            .map(|since| since.plus(WITHIN));
        let coming = current()
            .filter(|one| is_coming(one))
            .map(|one| one.created.plus(WITHIN));
        let first = is_first_awaited.then(|| service.changed.plus(FIRST));
        let deadlines = gone.chain(coming).chain(first).filter(|at| *at > now);
        (update, deadlines.min())
    }
}

/// Whether each client has an instance of its own.
pub(super) fn is_per_client(reading: &Reading) -> bool {
    let spec = reading.target();
    spec.is_some_and(|spec| matches!(spec.instances, Instances::PerClient(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_is_gone_holds_up_nobody_for_ever() {
        let client = ClientId::from_bytes([1; 6]);
        let after = |before: &Turns, now| next_turns(before, &[], 2, false, Timestamp(now));
        let begun: Turns = [(client, None)].into();
        let gone = after(&begun, 1_000);
        assert_eq!(gone, [(client, Some(Timestamp(1_000)))].into());
        assert_eq!(after(&gone, 60_999), gone);
        assert!(after(&gone, 61_000).is_empty());
    }
}
