//! The policy reconciler: single owners when something of theirs is recorded, and everything now and then.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_host::{Host, HostCapability, HostChange, NetworkItem, NetworkKey, NetworkPart, WatchScope};
use orchestrator_model::{Event, Owner};
use orchestrator_policy::{Delta, Links, Policy};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::{Conditions, Owned};
use orchestrator_settings::Current;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, sleep_until};

use super::PolicyRecords;
use crate::driver::{Backoff, Driver, Failure, Next, Reconciler, Registration, Run};
use crate::part::PartOfHost;

/// The condition under which the policy is shown.
pub const CONDITION: &str = "policy";
/// How often everything is read again: a renewal from another place is no event.
const PERIOD: Duration = Duration::from_secs(30);
/// The wait between two tries.
const RETRY: Duration = Duration::from_secs(1);
/// Reports of the host that may queue.
const QUEUE: usize = 16;
/// Owners that are brought up to date one by one; for more, reading everything is less work.
const SINGLY: usize = 256;

/// The environment of the policy reconciler.
pub struct Parts {
    /// The settings: links and their isolation.
    pub settings: Current,
    /// The recorded leases and instances.
    pub records: Arc<dyn PolicyRecords>,
    /// The machine whose packet filter is kept.
    pub host: Arc<dyn Host>,
    /// Where it says what it waits for.
    pub conditions: Conditions,
}

/// Registers the policy reconciler and the watch on the rules of the host. They run until the driver stops.
pub fn register(driver: &Driver, parts: Parts) {
    let (sender, changes) = mpsc::channel(QUEUE);
    let can = parts.host.capabilities().host.contains(&HostCapability::Policy);
    let watch = PolicyWatch {
        host: parts.host.clone(),
        changes: sender,
    };
    let registration = Registration::new("policy", "keeps the packet filter as the leases and instances say")
        .retrying(Backoff::constant(RETRY))
        .following_settings()
        .having_condition();
    driver.register(registration, PolicyReconciler::new(parts, changes));
    if can {
        let purpose = "notices at once when somebody removes a rule of ours";
        let registration = Registration::new("policy watch", purpose)
            .retrying(Backoff::constant(RETRY))
            .settling_after(RETRY);
        driver.register(registration, watch);
    }
}

/// Reports to the policy reconciler that somebody changed the rules.
struct PolicyWatch {
    host: Arc<dyn Host>,
    changes: mpsc::Sender<HostChange>,
}

#[async_trait]
impl Reconciler for PolicyWatch {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let fault = self.host.watch(WatchScope::Policy, self.changes.clone()).await;
        let reason = with_causes(&fault);
        Err(format!("no notifications about rules, which are only restored now and then meanwhile: {reason}").into())
    }
}

/// Keeps the policy of one host.
struct PolicyReconciler {
    parts: Parts,
    part: PartOfHost,
    policy: Policy,
    events: broadcast::Receiver<Event>,
    changes: mpsc::Receiver<HostChange>,
    /// Owners of whom something was recorded since the last run.
    changed: HashSet<Owner>,
    /// Whether all facts are to be read.
    is_stale: bool,
    due: Instant,
    /// Held while a link has isolation.
    condition: Option<Owned>,
}

#[async_trait]
impl Reconciler for PolicyReconciler {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let settings = self.parts.settings.get();
        let links = Links::of(&settings, settings.metadata.address);
        let outcome = match self.parts.host.capabilities().host.contains(&HostCapability::Policy) {
            true => self.bring(links.clone()).await,
            false if links.is_empty() => Ok(()),
            false => Err("this host cannot check packets, so that links with isolation are open".to_owned()),
        };
        self.show(!links.is_empty(), &outcome);
        outcome.map(|()| Next::At(self.due)).map_err(Failure::from)
    }

    async fn notified(&mut self) {
        loop {
            tokio::select! {
                event = self.events.recv() => {
                    if self.take(event).await {
                        return;
                    }
                }
                Some(_) = self.changes.recv() => {
                    self.is_stale = true;
                    return;
                }
                () = sleep_until(self.due) => return,
            }
        }
    }
}

impl PolicyReconciler {
    fn new(parts: Parts, changes: mpsc::Receiver<HostChange>) -> Self {
        Self {
            part: PartOfHost::new(parts.host.clone(), NetworkPart::Policy),
            policy: Policy::default(),
            // Before anything is read, so that nothing is recorded unseen in between.
            events: parts.records.events(),
            parts,
            changes,
            changed: HashSet::new(),
            is_stale: true,
            due: Instant::now(),
            condition: None,
        }
    }

    /// Takes what an event says. `false` when it concerns no owner.
    async fn take(&mut self, event: Result<Event, RecvError>) -> bool {
        match event {
            Ok(Event {
                client: Some(client), ..
            }) => drop(self.changed.insert(Owner::Client(client))),
            Ok(Event { instance: Some(_), .. }) => self.is_stale = true,
            Ok(_) => return false,
            Err(RecvError::Lagged(_)) => self.is_stale = true,
            // The store is closed: the daemon ends.
            Err(RecvError::Closed) => std::future::pending().await,
        }
        true
    }

    async fn bring(&mut self, links: Links) -> Result<(), String> {
        // Where no link has isolation, and none had since the start, nothing is touched.
        if links.is_empty() && self.policy.is_empty() {
            self.changed.clear();
            self.due = Instant::now() + PERIOD;
            return Ok(());
        }
        let changed = std::mem::take(&mut self.changed);
        let whole = self.is_stale || self.due <= Instant::now() || changed.len() > SINGLY;
        let whole = whole || !self.part.is_confirmed() || *self.policy.links() != links;
        // Until it has succeeded: nobody remembers the owners that were taken.
        self.is_stale = true;
        match whole {
            true => self.bring_all(links).await?,
            false => self.follow(changed).await?,
        }
        self.is_stale = false;
        Ok(())
    }

    /// Has the host let pass what the facts of these owners allow, and nothing else of theirs.
    async fn follow(&mut self, owners: HashSet<Owner>) -> Result<(), String> {
        let mut delta = Delta::default();
        for owner in owners {
            let facts = self.parts.records.facts_of(&owner).await;
            delta.then(self.policy.set_owner(&facts.map_err(|fault| with_causes(&fault))?));
        }
        if delta.is_empty() {
            return Ok(());
        }
        let set = delta.set.into_iter().map(NetworkItem::Policy).collect();
        let remove = delta.remove.into_iter().map(NetworkKey::Policy).collect();
        let applied = self.part.apply_difference(set, remove).await;
        match applied.map_err(|fault| with_causes(&fault))? {
            true => Ok(()),
            false => self.apply_whole().await,
        }
    }

    async fn bring_all(&mut self, links: Links) -> Result<(), String> {
        let facts = self.parts.records.all_facts().await;
        self.policy = Policy::new(links);
        for facts in facts.map_err(|fault| with_causes(&fault))? {
            self.policy.set_owner(&facts);
        }
        self.apply_whole().await?;
        self.due = Instant::now() + PERIOD;
        Ok(())
    }

    async fn apply_whole(&mut self) -> Result<(), String> {
        let items = self.policy.whole().into_iter().map(NetworkItem::Policy).collect();
        let applied = self.part.apply_whole(items).await;
        applied.map_err(|fault| with_causes(&fault))
    }

    fn show(&mut self, is_needed: bool, outcome: &Result<(), String>) {
        if let Err(reason) = outcome {
            tracing::debug!(reason, "the packet filter is not as it should be");
        }
        if !is_needed {
            self.condition = None;
            return;
        }
        let conditions = &self.parts.conditions;
        self.condition.get_or_insert_with(|| conditions.own(CONDITION));
        match outcome {
            Ok(()) => conditions.set_ok(CONDITION),
            Err(reason) => conditions.set_wrong(CONDITION, reason.clone()),
        }
    }
}
