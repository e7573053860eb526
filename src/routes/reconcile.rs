//! Everything at once: what the leases and the settings want, what the kernel has, and the difference.

use std::collections::HashSet;

use ipnet::Ipv6Net;
use orchestrator_network::{Route, Way};

use super::Keeper;
use crate::causes::with_causes;
use crate::model::LeaseSource;

impl Keeper {
    /// Brings all routes to what is recorded; does what it can, also when something fails.
    ///
    /// # Errors
    ///
    /// The first thing that went wrong, as text.
    pub(super) async fn reconcile(&mut self) -> Result<(), String> {
        self.look_for_bridges().await?;
        let wanted = self.wanted().await?;
        let found = self.parts.network.list_routes(self.mark).await;
        let found: HashSet<Route> = found.map_err(|fault| with_causes(&fault))?.into_iter().collect();
        let delegated = found.iter().filter(|route| route.way != Way::Unreachable);
        self.installed = delegated.map(|route| (route.prefix, *route)).collect();
        let mut outcome = Ok(());
        // What is made takes the place of what leads to the same prefix, and nothing is without a route in between.
        for route in wanted.difference(&found) {
            outcome = outcome.and(self.ensure(*route).await);
        }
        for route in found.difference(&wanted) {
            outcome = outcome.and(self.remove(*route).await);
        }
        self.parts.metrics.routes(self.installed.len());
        outcome
    }

    async fn look_for_bridges(&mut self) -> Result<(), String> {
        self.interfaces.clear();
        for link in &self.parts.settings.links {
            let found = self.parts.network.find_bridge(&link.bridge).await;
            if let Some(bridge) = found.map_err(|fault| with_causes(&fault))? {
                self.interfaces.insert(link.bridge.clone(), bridge.index);
            }
        }
        Ok(())
    }

    /// The routes that there should be.
    async fn wanted(&self) -> Result<HashSet<Route>, String> {
        let mut wanted = HashSet::new();
        let mut prefixes: HashSet<Ipv6Net> = HashSet::new();
        for link in self
            .parts
            .settings
            .links
            .iter()
            .filter(|link| link.source == LeaseSource::Listener)
        {
            let pools = link.delegation.iter().map(|pool| Route {
                prefix: pool.prefix(),
                way: Way::Unreachable,
            });
            wanted.extend(pools);
            let Some(interface) = self.interfaces.get(&link.bridge).copied() else {
                continue;
            };
            let now = self.parts.clock.now();
            let held = self.parts.store.routed_prefixes(&link.bridge, now).await;
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
