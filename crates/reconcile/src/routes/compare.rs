//! Everything at once: what the leases and the settings want, what the host has, and the difference.

use std::collections::{BTreeSet, HashSet};

use ipnet::Ipv6Net;
use orchestrator_host::{ListRequest, Listed, NetworkItem, NetworkKey, RoutePlan};
use orchestrator_store::AttachedPrefix;

use super::RouteReconciler;
use crate::part::list_all;
use orchestrator_runtime::causes::with_causes;

impl RouteReconciler {
    /// Brings all routes to what is recorded; does what it can, also when something fails.
    ///
    /// # Errors
    ///
    /// The first thing that went wrong, as text.
    pub(super) async fn compare_all(&mut self) -> Result<(), String> {
        // Listed before the record is read: a route that is recorded before it is made is never taken for a leftover.
        let found = self.list_routes().await?;
        let wanted = self.wanted().await?;
        let kept_before = self.kept();
        let missing: HashSet<RoutePlan> = wanted.difference(&found).cloned().collect();
        self.lost.extend(missing.intersection(&kept_before).cloned());
        self.take_down(&found);
        let others: Vec<NetworkKey> = found.difference(&wanted).map(RoutePlan::key).collect();
        let outcome = self.apply(&wanted, &missing, others).await;
        if outcome.is_ok() {
            self.take_down(&wanted);
        }
        self.report_restored(&wanted).await;
        self.parts.metrics.routes(self.installed.len());
        outcome
    }

    /// Has the host make what is missing, and remove what is there and not wanted.
    async fn apply(
        &mut self,
        wanted: &HashSet<RoutePlan>,
        missing: &HashSet<RoutePlan>,
        others: Vec<NetworkKey>,
    ) -> Result<(), String> {
        if self.part.is_confirmed() && missing.is_empty() && others.is_empty() {
            return Ok(());
        }
        let applied = async {
            if !self.part.apply_difference(items(missing), others).await? {
                self.part.apply_whole(items(wanted)).await?;
            }
            Ok(())
        };
        let applied = applied.await;
        applied.map_err(|fault| self.failed(&fault))
    }

    /// Records in memory which routes the host has.
    fn take_down(&mut self, routes: &HashSet<RoutePlan>) {
        let (delegated, pools): (Vec<_>, Vec<_>) = routes.iter().cloned().partition(|route| route.via.is_some());
        self.installed = delegated.into_iter().map(|route| (route.prefix, route)).collect();
        self.pools = pools.into_iter().map(|route| route.prefix).collect();
    }

    /// The routes that the host has, as far as is known.
    pub(super) fn kept(&self) -> HashSet<RoutePlan> {
        let pools = self.pools.iter().copied().map(RoutePlan::unreachable);
        self.installed.values().cloned().chain(pools).collect()
    }

    async fn list_routes(&self) -> Result<HashSet<RoutePlan>, String> {
        let request = ListRequest {
            routes: true,
            ..ListRequest::default()
        };
        let listed = list_all(self.part.host(), &request).await;
        let mut routes = HashSet::new();
        for answer in listed.map_err(|fault| with_causes(&fault))? {
            if let Listed::Routes(found) = answer {
                routes.extend(found.map_err(|fault| fault.text())?);
            }
        }
        Ok(routes)
    }

    /// Finds the existing bridges of the links in the settings, and of all that is to be routed.
    async fn look_for_bridges(&mut self, routed: &[String], attached: &[AttachedPrefix]) -> Result<(), String> {
        let settings = self.parts.settings.get();
        let links = settings.links.iter().filter(|link| !link.remote).map(|link| &link.name);
        let attached = attached.iter().map(|attached| &attached.bridge);
        let bridges: BTreeSet<String> = links.chain(routed).chain(attached).cloned().collect();
        let request = ListRequest {
            bridges: bridges.into_iter().collect(),
            ..ListRequest::default()
        };
        let listed = list_all(self.part.host(), &request).await;
        self.bridges.clear();
        for answer in listed.map_err(|fault| with_causes(&fault))? {
            if let Listed::Bridge { bridge, there } = answer
                && there.map_err(|fault| fault.text())?
            {
                self.bridges.insert(bridge);
            }
        }
        Ok(())
    }

    /// The routes that there should be.
    ///
    /// A prefix is routed for as long as it is held, also when its pool or its link is no longer in the settings. What
    /// may be delegated and is not held is unreachable: pools, and what is reserved, also through the API. A prefix of an
    /// instance is routed for as long as the instance lives.
    async fn wanted(&mut self) -> Result<HashSet<RoutePlan>, String> {
        let now = self.parts.clock.now();
        let records = self.parts.records.clone();
        let routed = records.routed_links(now).await.map_err(|fault| with_causes(&fault))?;
        let attached = records.attached_prefixes().await.map_err(|fault| with_causes(&fault))?;
        self.look_for_bridges(&routed, &attached).await?;
        let mut wanted = self.unreachable().await?;
        let mut prefixes: HashSet<Ipv6Net> = HashSet::new();
        for link in routed.iter().filter(|link| self.bridges.contains(*link)) {
            let held = records.routed_prefixes(link, now).await;
            for (prefix, next_hop) in held.map_err(|fault| with_causes(&fault))? {
                // A pool may have gone from one link to another: the first one has it until its leases end.
                if prefixes.insert(prefix) {
                    let via = Some((next_hop, link.clone()));
                    wanted.insert(RoutePlan { prefix, via });
                }
            }
        }
        self.attached = attached.iter().map(|attached| attached.prefix).collect();
        for attached in attached {
            if self.bridges.contains(&attached.bridge) && prefixes.insert(attached.prefix) {
                let via = Some((attached.address, attached.bridge));
                let prefix = attached.prefix;
                wanted.insert(RoutePlan { prefix, via });
            }
        }
        Ok(wanted)
    }

    /// What may be delegated.
    async fn unreachable(&self) -> Result<HashSet<RoutePlan>, String> {
        let settings = self.parts.settings.get();
        let reserved = self.parts.records.reserved_prefixes().await;
        let reserved = reserved.map_err(|fault| with_causes(&fault))?;
        let is_here = |link: &str| settings.link(link).is_some_and(|link| !link.remote);
        let reserved = reserved.into_iter().filter(|(link, _)| is_here(link));
        let pools = settings.links.iter().flat_map(|link| link.routed());
        Ok(pools
            .chain(reserved.map(|(_, prefix)| prefix))
            .map(RoutePlan::unreachable)
            .collect())
    }
}

fn items(routes: &HashSet<RoutePlan>) -> Vec<NetworkItem> {
    routes.iter().cloned().map(NetworkItem::Route).collect()
}
