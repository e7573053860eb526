//! The route reconciler: single prefixes when it is notified of them, and everything now and then.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::Ipv6Net;
use orchestrator_host::{Host, HostChange, HostError, NetworkItem, NetworkPart, RoutePlan};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::forwarding::Forwarding;
use super::records::RouteRecords;
use super::restore::RouteWatch;
use crate::driver::{Backoff, Driver, Failure, Next, Reconciler, Registration, Run};
use crate::part::PartOfHost;
use orchestrator_model::Clock;
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::{Conditions, Owned};
use orchestrator_runtime::contention::Contention;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_runtime::notifications::{Notifications, Prefixes};
use orchestrator_settings::Current;

/// The condition under which routes are shown.
pub const CONDITION: &str = "routes";
/// How often everything is compared: somebody else may have removed a route, or taken the bridge down.
const PERIOD: Duration = Duration::from_secs(30);
/// The wait between two tries.
const RETRY: Duration = Duration::from_secs(1);
/// Notifications about routes that may queue; beyond it the watch itself waits.
const QUEUE: usize = 1024;
/// Prefixes that are brought up to date one by one; for more, comparing everything is less work.
const SINGLY: usize = 256;

/// The environment of the route reconciler.
pub struct Parts {
    /// The settings: links and their pools.
    pub settings: Current,
    /// The recorded leases and instances.
    pub records: Arc<dyn RouteRecords>,
    /// The machine whose routes are kept.
    pub host: Arc<dyn Host>,
    /// The clock by which leases end.
    pub clock: Clock,
    /// Where changes of prefixes are notified.
    pub notifications: Notifications,
    /// Where it says what it waits for.
    pub conditions: Conditions,
    /// Where it counts.
    pub metrics: Metrics,
}

/// Registers the reconcilers of all links' routes: the route reconciler, the watch on the kernel's routes, and the
/// check of forwarding. They run until the driver stops.
pub fn register(driver: &Driver, parts: Parts) {
    let (sender, changes) = mpsc::channel(QUEUE);
    let forwarding = Forwarding::new(&parts);
    let routes = RouteReconciler::new(parts, changes);
    let watch = RouteWatch {
        host: routes.parts.host.clone(),
        changes: sender,
    };
    let registration = Registration::new(
        "routes",
        "keeps the kernel's routes to delegated prefixes as the leases say",
    );
    let registration = registration.retrying(Backoff::constant(RETRY)).having_condition();
    driver.register(registration, routes);
    driver.register(RouteWatch::registration(), watch);
    driver.register(Forwarding::registration(), forwarding);
}

/// Keeps the routes of all links.
pub(super) struct RouteReconciler {
    pub(super) parts: Parts,
    pub(super) part: PartOfHost,
    /// The bridges that are there, by name.
    pub(super) bridges: BTreeSet<String>,
    /// The routes through neighbours that the host has, as far as is known.
    pub(super) installed: HashMap<Ipv6Net, RoutePlan>,
    /// The prefixes that the host is known to make unreachable.
    pub(super) pools: HashSet<Ipv6Net>,
    /// The prefixes of instances. Their hosts remove the routes with the instances.
    pub(super) attached: HashSet<Ipv6Net>,
    /// Routes that somebody else removed, and that are not known to be there again.
    pub(super) lost: HashSet<RoutePlan>,
    pub(super) contention: Contention,
    /// Held while prefixes are delegated.
    condition: Option<Owned>,
    /// Changes of routes with our mark.
    changes: mpsc::Receiver<HostChange>,
    /// Prefixes that the reconciler was notified of since its last run, with their router where that is known.
    changed: HashMap<(String, Ipv6Net), Option<Ipv6Addr>>,
    /// When everything is to be compared.
    due: Instant,
}

#[async_trait]
impl Reconciler for RouteReconciler {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let changed = std::mem::take(&mut self.changed);
        let outcome = if changed.is_empty() || self.due <= Instant::now() {
            self.due = Instant::now() + PERIOD;
            self.compare_all().await
        } else {
            self.follow(changed).await
        };
        if outcome.is_err() {
            // Not later than it was: notifications whose runs fail one after the other must not put it off.
            self.due = self.due.min(Instant::now() + RETRY);
        }
        self.show(outcome.clone());
        outcome.map(|()| Next::At(self.due)).map_err(Failure::from)
    }

    async fn notified(&mut self) {
        loop {
            tokio::select! {
                Some(change) = self.changes.recv() => {
                    if let Some(at) = self.observe(&change) {
                        self.due = self.due.min(at);
                    }
                }
                () = sleep_until(self.due) => return,
                received = self.parts.notifications.received_prefixes() => {
                    match received {
                        Prefixes::These(these) if these.len() <= SINGLY => self.changed.extend(these),
                        _ => self.due = Instant::now(),
                    }
                    return;
                }
            }
        }
    }
}

impl RouteReconciler {
    /// The reconciler of all routes on the host that carry our mark.
    fn new(parts: Parts, changes: mpsc::Receiver<HostChange>) -> Self {
        Self {
            part: PartOfHost::new(parts.host.clone(), NetworkPart::Routes),
            parts,
            bridges: BTreeSet::new(),
            installed: HashMap::new(),
            pools: HashSet::new(),
            attached: HashSet::new(),
            lost: HashSet::new(),
            contention: Contention::default(),
            condition: None,
            changes,
            changed: HashMap::new(),
            due: Instant::now(),
        }
    }

    pub(super) fn show(&mut self, outcome: Result<(), String>) {
        if let Err(reason) = &outcome {
            tracing::debug!(reason, "routes are not as they should be");
        }
        // Leftovers of earlier settings are removed nevertheless, but nobody waits for that.
        if !self.delegates() {
            self.condition = None;
            return;
        }
        let conditions = &self.parts.conditions;
        self.condition.get_or_insert_with(|| conditions.own(CONDITION));
        match outcome {
            Ok(()) => conditions.set_ok(CONDITION),
            Err(reason) => conditions.set_waiting(CONDITION, reason),
        }
    }

    fn delegates(&self) -> bool {
        self.parts.settings.get().delegates()
    }

    /// Brings the routes of single prefixes to what is recorded.
    ///
    /// # Errors
    ///
    /// The first thing that went wrong, as text; some prefixes may still be as they were.
    async fn follow(&mut self, changed: HashMap<(String, Ipv6Net), Option<Ipv6Addr>>) -> Result<(), String> {
        let (mut set, mut remove) = (Vec::new(), Vec::new());
        for ((link, prefix), router) in changed {
            // Without its bridge there is no route; when it comes, everything is compared.
            if !self.bridges.contains(&link) {
                continue;
            }
            let via = |next_hop| RoutePlan {
                prefix,
                via: Some((next_hop, link.clone())),
            };
            // A client that renews: there is nothing to do for it.
            let installed = self.installed.get(&prefix);
            if router.is_some() && installed == router.map(via).as_ref() {
                continue;
            }
            let now = self.parts.clock.now();
            let held = self.parts.records.routed_prefix(&link, prefix, now).await;
            match (held.map_err(|fault| with_causes(&fault))?.map(via), installed) {
                (Some(route), _) => set.push(route),
                // One that another link made of it is not this link's to remove.
                (None, Some(route)) if is_through(route, &link) => remove.push(route.clone()),
                (None, _) => {}
            }
        }
        self.bring(set, remove).await
    }

    async fn bring(&mut self, set: Vec<RoutePlan>, remove: Vec<RoutePlan>) -> Result<(), String> {
        if set.is_empty() && remove.is_empty() {
            return Ok(());
        }
        let items = set.iter().cloned().map(NetworkItem::Route).collect();
        let keys = remove.iter().map(RoutePlan::key).collect();
        let applied = self.part.apply_difference(items, keys).await;
        if !applied.map_err(|fault| self.failed(&fault))? {
            return self.compare_all().await;
        }
        for route in set {
            tracing::info!(prefix = %route.prefix, way = %route, "prefix routed");
            self.installed.insert(route.prefix, route);
        }
        for route in remove {
            tracing::info!(prefix = %route.prefix, "prefix no longer routed");
            self.installed.remove(&route.prefix);
        }
        self.parts.metrics.routes(self.installed.len());
        Ok(())
    }

    pub(super) fn failed(&self, fault: &HostError) -> String {
        self.parts.metrics.route_failed();
        with_causes(fault)
    }
}

fn is_through(route: &RoutePlan, link: &str) -> bool {
    route.via.as_ref().is_some_and(|(_, network)| network == link)
}
