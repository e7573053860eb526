//! The route reconciler: single prefixes when it is notified of them, and everything now and then.

use std::collections::{HashMap, HashSet};
use std::net::Ipv6Addr;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::Ipv6Net;
use orchestrator_network::{Network, Route, RouteChange, RouteMark, Way};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::forwarding::Forwarding;
use super::restore::RouteWatch;
use crate::driver::{Backoff, Driver, Failure, Next, Reconciler, Registration, Run};
use orchestrator_model::{Clock, SiteId};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::{Conditions, Owned};
use orchestrator_runtime::contention::Contention;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_runtime::notifications::{Notifications, Prefixes};
use orchestrator_settings::Current;
use orchestrator_store::Store;

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
    /// The recorded leases.
    pub store: Store,
    /// The kernel.
    pub network: Network,
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
        network: routes.parts.network.clone(),
        mark: routes.mark,
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
    pub(super) mark: RouteMark,
    /// The bridges that are there, by name.
    pub(super) interfaces: HashMap<String, u32>,
    /// The routes to delegated prefixes that are in the kernel, as far as we know.
    pub(super) installed: HashMap<Ipv6Net, Route>,
    /// The pools that are known to be unreachable in the kernel.
    pub(super) pools: HashSet<Ipv6Net>,
    /// Routes that somebody else removed since everything was last compared.
    pub(super) lost: HashSet<Route>,
    pub(super) contention: Contention,
    /// Held while prefixes are delegated.
    condition: Option<Owned>,
    /// Changes of routes with our mark.
    changes: mpsc::Receiver<RouteChange>,
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
    /// The reconciler of the routes that carry the mark of this store's site.
    fn new(parts: Parts, changes: mpsc::Receiver<RouteChange>) -> Self {
        let mark = mark(parts.store.identity().site);
        Self {
            parts,
            mark,
            interfaces: HashMap::new(),
            installed: HashMap::new(),
            pools: HashSet::new(),
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
        for ((link, prefix), router) in changed {
            // Without its bridge there is no route; when it comes, everything is compared.
            let Some(interface) = self.interfaces.get(&link).copied() else {
                continue;
            };
            let via = |next_hop| Route {
                prefix,
                way: Way::Via { next_hop, interface },
            };
            // A client that renews: there is nothing to do for it.
            if router.is_some() && self.installed.get(&prefix).copied() == router.map(via) {
                continue;
            }
            let now = self.parts.clock.now();
            let held = self.parts.store.routed_prefix(&link, prefix, now).await;
            let wanted = held.map_err(|fault| with_causes(&fault))?.map(via);
            self.bring_to(prefix, interface, wanted).await?;
        }
        self.parts.metrics.routes(self.installed.len());
        Ok(())
    }

    async fn bring_to(&mut self, prefix: Ipv6Net, interface: u32, wanted: Option<Route>) -> Result<(), String> {
        let installed = self.installed.get(&prefix).copied();
        match (wanted, installed) {
            (Some(route), _) => {
                self.ensure(route).await?;
                tracing::info!(%prefix, way = %route.way, "prefix routed");
            }
            // One that another link made of it is not this link's to remove.
            (None, Some(route)) if is_through(route, interface) => {
                self.remove(route).await?;
                tracing::info!(%prefix, "prefix no longer routed");
            }
            (None, _) => {}
        }
        Ok(())
    }

    pub(super) async fn ensure(&mut self, route: Route) -> Result<(), String> {
        self.parts
            .network
            .ensure_route(route, self.mark)
            .await
            .map_err(|fault| self.failed(&with_causes(&fault)))?;
        match route.way {
            Way::Via { .. } => drop(self.installed.insert(route.prefix, route)),
            Way::Unreachable => drop(self.pools.insert(route.prefix)),
        }
        Ok(())
    }

    pub(super) async fn remove(&mut self, route: Route) -> Result<(), String> {
        self.parts
            .network
            .remove_route(route, self.mark)
            .await
            .map_err(|fault| self.failed(&with_causes(&fault)))?;
        match route.way {
            Way::Via { .. } if self.installed.get(&route.prefix) == Some(&route) => {
                self.installed.remove(&route.prefix);
            }
            Way::Via { .. } => {}
            Way::Unreachable => drop(self.pools.remove(&route.prefix)),
        }
        Ok(())
    }

    fn failed(&self, reason: &str) -> String {
        self.parts.metrics.route_failed();
        reason.to_owned()
    }
}

fn is_through(route: Route, number: u32) -> bool {
    matches!(route.way, Way::Via { interface, .. } if interface == number)
}

/// The mark of a site's routes.
pub fn mark(site: SiteId) -> RouteMark {
    let [a, b, c, d, ..] = site.bytes();
    RouteMark::new(u32::from_be_bytes([a, b, c, d]))
}
