//! Everything at once: what the leases and the settings want, what the kernel has, and the difference.

use std::collections::{BTreeSet, HashSet};

use ipnet::Ipv6Net;
use orchestrator_network::{Route, Way};

use super::RouteReconciler;
use orchestrator_runtime::causes::with_causes;

impl RouteReconciler {
    /// Brings all routes to what is recorded; does what it can, also when something fails.
    ///
    /// # Errors
    ///
    /// The first thing that went wrong, as text.
    pub(super) async fn compare_all(&mut self) -> Result<(), String> {
        let routed = self.parts.store.routed_links(self.parts.clock.now()).await;
        let routed = routed.map_err(|fault| with_causes(&fault))?;
        self.look_for_bridges(&routed).await?;
        let wanted = self.wanted(&routed).await?;
        let found = self.parts.network.list_routes(self.mark).await;
        let found: HashSet<Route> = found.map_err(|fault| with_causes(&fault))?.into_iter().collect();
        let kept_before = self.kept();
        let (pools, delegated): (Vec<Route>, Vec<Route>) =
            found.iter().partition(|route| route.way == Way::Unreachable);
        self.installed = delegated.into_iter().map(|route| (route.prefix, route)).collect();
        self.pools = pools.into_iter().map(|route| route.prefix).collect();
        let (mut outcome, mut made) = (Ok(()), HashSet::new());
        // A new route replaces one to the same prefix, so that the prefix is never without a route in between.
        for route in wanted.difference(&found) {
            let ensured = self.ensure(*route).await;
            if ensured.is_ok() {
                made.insert(*route);
            }
            outcome = outcome.and(ensured);
        }
        self.tell_restored(&made, &kept_before).await;
        for route in found.difference(&wanted) {
            outcome = outcome.and(self.remove(*route).await);
        }
        self.parts.metrics.routes(self.installed.len());
        outcome
    }

    /// The routes that are in the kernel, as far as we know.
    fn kept(&self) -> HashSet<Route> {
        let pools = self.pools.iter().map(|prefix| Route {
            prefix: *prefix,
            way: Way::Unreachable,
        });
        self.installed.values().copied().chain(pools).collect()
    }

    /// Finds the existing bridges of the links in the settings, and of links where prefixes are held.
    async fn look_for_bridges(&mut self, routed: &[String]) -> Result<(), String> {
        self.interfaces.clear();
        let settings = self.parts.settings.get();
        let links = settings.links.iter().filter(|link| !link.remote).map(|link| &link.name);
        let links: BTreeSet<&String> = links.chain(routed).collect();
        for link in links {
            let found = self.parts.network.find_bridge(link).await;
            if let Some(bridge) = found.map_err(|fault| with_causes(&fault))? {
                self.interfaces.insert(link.clone(), bridge.index);
            }
        }
        Ok(())
    }

    /// The routes that there should be.
    ///
    /// A prefix is routed for as long as it is held, also when its pool or its link is no longer in the settings. What
    /// may be delegated and is not held is unreachable: pools, and what is reserved, also through the API.
    async fn wanted(&self, routed: &[String]) -> Result<HashSet<Route>, String> {
        let settings = self.parts.settings.get();
        let reserved = self.parts.store.reservations().await;
        let reserved = reserved.map_err(|fault| with_causes(&fault))?;
        let is_here = |link: &str| settings.link(link).is_some_and(|link| !link.remote);
        let reserved = reserved.iter().filter(|made| is_here(&made.link));
        let reserved = reserved.filter_map(|made| made.reservation.prefix);
        let pools = settings.links.iter().flat_map(|link| link.routed()).chain(reserved);
        let unreachable = |prefix| Route {
            prefix,
            way: Way::Unreachable,
        };
        let mut wanted: HashSet<Route> = pools.map(unreachable).collect();
        let mut prefixes: HashSet<Ipv6Net> = HashSet::new();
        for link in routed {
            let Some(interface) = self.interfaces.get(link).copied() else {
                continue;
            };
            let now = self.parts.clock.now();
            let held = self.parts.store.routed_prefixes(link, now).await;
            for (prefix, next_hop) in held.map_err(|fault| with_causes(&fault))? {
                // A pool may have gone from one link to another: the first one has it until its leases end.
                if prefixes.insert(prefix) {
                    let way = Way::Via { next_hop, interface };
                    wanted.insert(Route { prefix, way });
                }
            }
        }
        Ok(wanted)
    }
}
