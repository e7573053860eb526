//! Looks at the counts of the packet filter, again and again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_host::{DropCause, Host, HostCapability, PolicyCounts, RebuildReason};
use orchestrator_model::{Clock, EventKind, NewEvent};
use orchestrator_policy::{Links, OwnerFacts};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_settings::{Current, Settings};
use orchestrator_store::StoreError;
use tokio::time::Instant;

use super::DropRecords;
use super::increase::{Increase, Seen};
use super::sender::{Found, Sender, find};
use super::turns::{Turn, Turns};
use crate::driver::{Backoff, Driver, Failure, Next, Reconciler, Registration, Run};

/// The time between two looks.
const PERIOD: Duration = Duration::from_secs(10);
/// The pause after the first look that failed.
const RETRY: Duration = Duration::from_secs(2);
/// The link of packets from a port that is on no link of the settings.
const NO_LINK: &str = "none";

/// What it needs.
pub struct Parts {
    /// The settings: the links that enforce their policy.
    pub settings: Current,
    /// Where senders are looked up, and events recorded.
    pub records: Arc<dyn DropRecords>,
    /// The host that counts.
    pub host: Arc<dyn Host>,
    /// The metrics.
    pub metrics: Metrics,
    /// The time of events.
    pub clock: Clock,
}

/// Registers it. It runs until the driver stops.
pub fn register(driver: &Driver, parts: Parts) {
    let purpose = "says what the packet filter drops: in metrics, and of whom in the timeline";
    let registration = Registration::new("dropped packets", purpose)
        .every(PERIOD)
        .retrying(Backoff::new(RETRY, Duration::from_secs(60)));
    driver.register(registration, Drops::new(parts));
}

pub(super) struct Drops {
    parts: Parts,
    seen: Seen,
    turns: Turns,
}

#[async_trait]
impl Reconciler for Drops {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        self.look().await.map_err(Failure::from)?;
        Ok(Next::Wait)
    }
}

impl Drops {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            parts,
            seen: Seen::default(),
            turns: Turns::default(),
        }
    }

    /// Looks once.
    pub(super) async fn look(&mut self) -> Result<(), String> {
        let settings = self.parts.settings.get();
        let links = Links::of(&settings, settings.metadata.address);
        let can = self.parts.host.capabilities().host.contains(&HostCapability::Policy);
        if links.is_empty() || !can {
            return Ok(());
        }
        let counts = self.parts.host.policy_counts().await;
        let counts = counts.map_err(|fault| with_causes(&fault))?;
        let increase = self.seen.look(&counts);
        self.count(&settings, &counts, &increase);
        let told = self.tell(&increase, &links).await;
        told.map_err(|fault| format!("who is dropped is not in the timeline: {}", with_causes(&fault)))
    }

    fn count(&self, settings: &Settings, counts: &PolicyCounts, increase: &Increase) {
        let metrics = &self.parts.metrics;
        for ((link, cause), packets) in &increase.links {
            let link = link.as_deref().and_then(|name| settings.link(name));
            let enforced = link
                .and_then(|link| link.isolation.as_ref())
                .is_none_or(|one| one.enforce);
            let name = link.map_or(NO_LINK, |link| link.name.as_str());
            metrics.policy_dropped(name, cause.code(), enforced, *packets);
        }
        for (reason, times) in &increase.rebuilds {
            (0..*times).for_each(|_| metrics.policy_rebuilt(reason.code()));
        }
        for (set, elements) in &counts.elements {
            metrics.policy_elements(set, *elements);
        }
        if let Some(ago) = counts.compared {
            metrics.policy_compared(self.parts.clock.now().minus(ago));
        }
    }

    /// Records an event for each sender that begins to be dropped, and for rules that were restored.
    async fn tell(&mut self, increase: &Increase, links: &Links) -> Result<(), StoreError> {
        if let Some(times) = increase.rebuilds.get(&RebuildReason::Foreign) {
            let event = NewEvent::new(self.parts.clock.now(), EventKind::RulesRestored);
            let detail = format!("another program had removed or changed rules of the packet filter, {times} times");
            let detail = Some(detail);
            self.parts.records.record(NewEvent { detail, ..event }).await?;
        }
        let beginning = self.beginning(increase);
        if beginning.is_empty() {
            return Ok(());
        }
        let owners = self.parts.records.owners().await?;
        for event in self.events(&beginning, &owners, increase, links) {
            self.parts.records.record(event).await?;
        }
        Ok(())
    }

    /// The senders that begin to be dropped, and get an event.
    fn beginning(&mut self, increase: &Increase) -> Vec<Sender> {
        let now = Instant::now();
        let mut beginning = Vec::new();
        for sender in increase.senders.keys().filter(|sender| concerns_somebody(sender)) {
            match self.turns.dropped(sender, now) {
                Turn::Begins => beginning.push(sender.clone()),
                Turn::Goes => {}
                Turn::HeldBack => self.parts.metrics.policy_event_held_back(),
            }
        }
        beginning
    }

    fn events(
        &mut self,
        beginning: &[Sender],
        owners: &[OwnerFacts],
        increase: &Increase,
        links: &Links,
    ) -> Vec<NewEvent> {
        let found = find(beginning, owners, links);
        let mut events = Vec::new();
        for sender in beginning {
            let before = events.len();
            for (_, found) in found.iter().filter(|(one, _)| one == sender) {
                let causes = increase.senders.get(sender).into_iter().flatten();
                events.push(self.event(found, causes, links));
            }
            if events.len() == before {
                self.turns.give_back();
            }
        }
        events
    }

    fn event<'c>(
        &self,
        found: &Found<'_>,
        causes: impl Iterator<Item = (&'c DropCause, &'c u64)>,
        links: &Links,
    ) -> NewEvent {
        let each: Vec<String> = causes
            .map(|(cause, packets)| format!("{packets} packets: {cause}, {}", cause.meaning()))
            .collect();
        let is_enforced = links.get(&found.link).is_none_or(|link| link.isolation.enforce);
        let but = if is_enforced {
            ""
        } else {
            " (enforce = false: they passed)"
        };
        NewEvent {
            link: Some(found.link.clone()),
            client: found.owner.client(),
            instance: found.instance_id(),
            detail: Some(each.join("; ") + but),
            ..NewEvent::new(self.parts.clock.now(), EventKind::PacketsDropped)
        }
    }
}

/// Whether a sender may be a client or an instance: a port of the operator's own is neither.
fn concerns_somebody(sender: &Sender) -> bool {
    match sender {
        Sender::Client(_) | Sender::Routed(_) => true,
        Sender::Port(port) => orchestrator_model::attachment_of(port).is_some(),
    }
}
