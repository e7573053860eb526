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

/// The clients whose turn it is, and since when.
pub(super) type Turns = BTreeMap<ClientId, Timestamp>;

/// The version of a service that an instance was made from.
pub(super) fn version_of(instance: &Instance) -> Option<u64> {
    service_of_template(&instance.template).map(|(_, version)| version)
}

/// Whose turn it is now. A turn is over when the client's instance of the version in force is ready, or when the client has
/// had none for a while: it may be gone.
fn next_turns(before: &Turns, instances: &[Instance], version: u64, paused: bool, now: Timestamp) -> Turns {
    let of = |client: ClientId| instances.iter().find(|one| one.client() == Some(client));
    let is_on = |client: ClientId, since: Timestamp| match of(client) {
        Some(one) => version_of(one) != Some(version) || one.phase != Phase::Ready,
        None => now < since.plus(WITHIN),
    };
    let kept = before.iter().filter(|(client, since)| is_on(**client, **since));
    let mut turns: Turns = kept.map(|(client, since)| (*client, *since)).collect();
    let waits = |one: &&Instance| {
        let lives = matches!(one.phase, Phase::Pending | Phase::Starting | Phase::Ready);
        lives && version_of(one) != Some(version) && !paused
    };
    let mut waiting: Vec<&Instance> = instances.iter().filter(waits).collect();
    // What is not ready is missed by nobody.
    waiting.sort_by_key(|one| (one.phase == Phase::Ready, one.id));
    let most = instances.len().div_ceil(ONE_IN).max(1);
    for client in waiting.into_iter().filter_map(Instance::client) {
        if turns.len() >= most {
            break;
        }
        turns.entry(client).or_insert(now);
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
        let of_service = reading.situation.instances.iter().filter_map(Instance::client);
        of_service.for_each(|client| notifications.notify(client));
        if let Some(Wanted::PerClient(.., replaced)) = before {
            replaced.iter().for_each(|client| notifications.notify(*client));
        }
        let Wanted::PerClient(clients, template, _) = wanted else {
            return Ok(());
        };
        if matches!(before, Some(Wanted::PerClient(_, before, _)) if before == template) {
            return Ok(());
        }
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
        let late = current().find(|one| {
            let has_turn = one.client().is_some_and(|client| turns.contains_key(&client));
            has_turn && one.phase != Phase::Ready && now >= one.created.plus(WITHIN)
        });
        let is_settled = turns.is_empty()
            && situation
                .instances
                .iter()
                .all(|one| version_of(one) == Some(service.version) || one.phase != Phase::Ready);
        let serves = current().any(|one| one.phase == Phase::Ready);
        let outcome = match (late, service.good_version) {
            (Some(late), Some(good)) if good != service.version => Some(RollOutcome::GaveUp {
                version: service.version,
                back_to: Some(good),
                reason: format!(
                    "instance {} is not ready after {} seconds: {}",
                    late.id,
                    WITHIN.as_secs(),
                    late.reason.as_deref().unwrap_or("nothing is known of it")
                ),
            }),
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
            at: now,
        });
        let begun = turns.values().copied().chain(current().map(|one| one.created));
        let deadlines = begun.map(|begun| begun.plus(WITHIN)).filter(|at| *at > now);
        (update, deadlines.min().filter(|_| !turns.is_empty()))
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
        let before: Turns = [(client, Timestamp(1_000))].into();
        let after = |now| next_turns(&before, &[], 2, false, Timestamp(now));
        assert_eq!(after(60_999), before);
        assert!(after(61_000).is_empty());
    }
}
