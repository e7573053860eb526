//! The policy reconciler: single owners when something of theirs is recorded, and everything now and then.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_host::{Host, HostCapability, HostChange, NetworkItem, NetworkKey, NetworkPart};
use orchestrator_model::Owner;
use orchestrator_policy::{Delta, Links, Policy};
use orchestrator_runtime::conditions::{Conditions, Owned};
use orchestrator_runtime::notifications::Notifications;
use orchestrator_settings::Current;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::fault::Fault;
use super::pending::{Inbox, Pending};
use super::watch::PolicyWatch;
use super::{PolicyRecords, Requests};
use crate::driver::{Backoff, Driver, Failure, Next, Reconciler, Registration, Run};
use crate::part::PartOfHost;

/// The condition under which the policy is shown.
pub const CONDITION: &str = "policy";
/// How often everything is read again, in case that a notification was lost.
const PERIOD: Duration = Duration::from_secs(30);
/// The waits between two tries of a host that cannot check packets, and of one that could not be brought to anything
/// that is known. A try after a failure reads everything.
const RETRIES_UNABLE: Backoff = Backoff::new(Duration::from_secs(1), PERIOD);
const RETRIES: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
/// The least time between two tries of a host that refuses one thing. What is recorded meanwhile concerns others.
const SPACING: Duration = Duration::from_secs(1);
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
    /// Receives a notification of each client that holds a lease at another place than before.
    pub notifications: Notifications,
    /// Where instances ask for their rules.
    pub requests: Requests,
    /// Where it says what it waits for.
    pub conditions: Conditions,
}

/// Registers the policy reconciler and the watch on the rules of the host. They run until the driver stops.
pub fn register(driver: &Driver, parts: Parts) {
    let (sender, changes) = mpsc::channel(QUEUE);
    let can = parts.host.capabilities().host.contains(&HostCapability::Policy);
    let watch = PolicyWatch {
        settings: parts.settings.clone(),
        host: parts.host.clone(),
        changes: sender,
    };
    let registration = Registration::new("policy", "keeps the packet filter as the leases and instances say")
        .following_settings()
        .having_condition();
    driver.register(registration, PolicyReconciler::new(parts, changes));
    if can {
        driver.register(PolicyWatch::registration(), watch);
    }
}

/// The tries that failed in a row.
struct Failed {
    in_row: u32,
    /// When it is tried again.
    due: Instant,
    /// From when on it is tried again because something was recorded.
    not_before: Instant,
    fault: Fault,
}

impl Failed {
    fn new(in_row: u32, fault: Fault) -> Self {
        let (now, pause) = (Instant::now(), |backoff: Backoff| {
            Instant::now() + backoff.pause(in_row)
        });
        let (not_before, due) = match fault {
            Fault::Unable(_) => (pause(RETRIES_UNABLE), pause(RETRIES_UNABLE)),
            Fault::Unknown(_) => (pause(RETRIES), pause(RETRIES)),
            Fault::Item { .. } => (now + SPACING, now + PERIOD),
        };
        Self {
            in_row,
            due,
            not_before,
            fault,
        }
    }
}

/// Keeps the policy of one host.
struct PolicyReconciler {
    settings: Current,
    records: Arc<dyn PolicyRecords>,
    conditions: Conditions,
    inbox: Inbox,
    pending: Pending,
    /// Whether the last change failed or was dropped: all facts are to be read.
    is_stale: bool,
    part: PartOfHost,
    /// The links that are to be checked, as the last run found them.
    links: Links,
    policy: Policy,
    /// When everything is read again.
    due: Instant,
    failed: Option<Failed>,
    /// Held while a link has isolation.
    condition: Option<Owned>,
}

#[async_trait]
impl Reconciler for PolicyReconciler {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        self.inbox.drain(&mut self.pending);
        let settings = self.settings.get();
        let links = Links::of(&settings, settings.metadata.address);
        let outcome = match self.part.host().capabilities().host.contains(&HostCapability::Policy) {
            true => self.bring(&links).await,
            false => Err(Fault::Unable("it has no packet filter".to_owned())),
        };
        // Without a link to be checked it does not matter that the host cannot.
        let outcome = outcome.or_else(|fault| match fault {
            Fault::Unable(_) if links.is_empty() => {
                self.due = Instant::now() + PERIOD;
                Ok(())
            }
            fault => Err(fault),
        });
        self.show(&links, &outcome);
        self.answer(&links, &outcome);
        self.links = links;
        let Err(fault) = outcome else {
            self.failed = None;
            return Ok(Next::At(self.due));
        };
        let in_row = self.failed.as_ref().map_or(1, |failed| failed.in_row.saturating_add(1));
        let failed = Failed::new(in_row, fault);
        let failure = Failure::from(failed.fault.text(&self.links)).recorded(in_row, failed.due);
        self.failed = Some(failed);
        Err(failure)
    }

    async fn notified(&mut self) {
        let Some((not_before, due)) = self.failed.as_ref().map(|failed| (failed.not_before, failed.due)) else {
            tokio::select! {
                () = self.inbox.receive(&mut self.pending) => {}
                () = sleep_until(self.due) => {}
            }
            return;
        };
        loop {
            let until = if self.pending.is_empty() { due } else { not_before };
            let received = timeout_at(until, self.inbox.receive_one(&mut self.pending)).await;
            if received.is_err() || self.answer_at_once() {
                return;
            }
        }
    }
}

impl PolicyReconciler {
    fn new(parts: Parts, changes: mpsc::Receiver<HostChange>) -> Self {
        Self {
            part: PartOfHost::new(parts.host, NetworkPart::Policy),
            links: Links::default(),
            policy: Policy::default(),
            inbox: Inbox {
                // Before anything is read, so that nothing is recorded unseen in between.
                events: parts.records.events(),
                notifications: parts.notifications,
                requests: parts.requests.0,
                changes,
            },
            settings: parts.settings,
            records: parts.records,
            conditions: parts.conditions,
            pending: Pending::default(),
            is_stale: true,
            due: Instant::now(),
            failed: None,
            condition: None,
        }
    }

    async fn bring(&mut self, links: &Links) -> Result<(), Fault> {
        let requests = std::mem::take(&mut self.pending.requests);
        let pending = std::mem::take(&mut self.pending);
        self.pending.requests = requests;
        let is_same = self.part.is_confirmed() && self.policy.links() == links;
        if is_same && links.is_empty() {
            self.due = Instant::now() + PERIOD;
            return Ok(());
        }
        let whole = pending.everything || self.is_stale || self.due <= Instant::now() || !is_same;
        // Until it has succeeded: nobody remembers the owners that were taken.
        self.is_stale = true;
        let owners = match whole {
            true => None,
            false => self.changed_owners(pending).await?,
        };
        match owners {
            Some(owners) => self.follow(owners).await?,
            None => self.bring_all(links).await?,
        }
        self.is_stale = false;
        Ok(())
    }

    /// The owners of whom something was recorded; `None` if they are too many.
    async fn changed_owners(&self, pending: Pending) -> Result<Option<HashSet<Owner>>, Fault> {
        let Pending {
            mut owners, instances, ..
        } = pending;
        if owners.len() + instances.len() > SINGLY {
            return Ok(None);
        }
        for instance in instances {
            let owner = self.records.owner_of(instance).await;
            owners.extend(owner.map_err(|fault| Fault::of_store(&fault))?);
        }
        Ok(Some(owners))
    }

    /// Has the host let pass what the facts of these owners allow, and nothing else of theirs.
    async fn follow(&mut self, owners: HashSet<Owner>) -> Result<(), Fault> {
        let mut delta = Delta::default();
        for owner in owners {
            let facts = self.records.facts_of(&owner).await;
            delta.then(self.policy.set_owner(&facts.map_err(|fault| Fault::of_store(&fault))?));
        }
        if delta.is_empty() {
            return Ok(());
        }
        let set = delta.set.into_iter().map(NetworkItem::Policy).collect();
        let remove = delta.remove.into_iter().map(NetworkKey::Policy).collect();
        let applied = self.part.apply_difference(set, remove).await;
        match applied.map_err(|fault| Fault::of_host(&fault))? {
            true => Ok(()),
            false => self.apply_whole().await,
        }
    }

    async fn bring_all(&mut self, links: &Links) -> Result<(), Fault> {
        let facts = match links.is_empty() {
            true => Vec::new(),
            false => self
                .records
                .all_facts()
                .await
                .map_err(|fault| Fault::of_store(&fault))?,
        };
        self.policy = Policy::new(links.clone());
        for facts in facts {
            self.policy.set_owner(&facts);
        }
        self.apply_whole().await?;
        self.due = Instant::now() + PERIOD;
        Ok(())
    }

    async fn apply_whole(&mut self) -> Result<(), Fault> {
        let items = self.policy.whole().into_iter().map(NetworkItem::Policy).collect();
        let applied = self.part.apply_whole(items).await;
        applied.map_err(|fault| Fault::of_host(&fault))
    }

    /// Answers all who asked before the run that had this outcome.
    fn answer(&mut self, links: &Links, outcome: &Result<(), Fault>) {
        for request in std::mem::take(&mut self.pending.requests) {
            let answer = match outcome {
                Ok(()) => Ok(()),
                Err(fault) => fault.answer(&request, links, &self.policy),
            };
            // The receiver is gone if its worker was stopped.
            let _ = request.answer.send(answer);
        }
    }

    /// Answers those who ask while the next try is not due. Returns whether somebody cannot be answered without one.
    fn answer_at_once(&mut self) -> bool {
        match self.failed.as_ref().map(|failed| failed.fault.clone()) {
            // Nobody knows yet whether the host can be brought to what they ask for.
            Some(Fault::Item { .. }) | None => !self.pending.requests.is_empty(),
            Some(fault) => {
                let links = self.links.clone();
                self.answer(&links, &Err(fault));
                false
            }
        }
    }

    fn show(&mut self, links: &Links, outcome: &Result<(), Fault>) {
        if links.is_empty() && outcome.is_ok() {
            self.condition = None;
            return;
        }
        let conditions = &self.conditions;
        self.condition.get_or_insert_with(|| conditions.own(CONDITION));
        match outcome {
            Ok(()) => conditions.set_ok(CONDITION),
            Err(fault) => conditions.set_wrong(CONDITION, fault.text(links)),
        }
    }
}
