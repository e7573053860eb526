//! Routes that carry our mark.

use std::collections::{HashMap, HashSet};
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_network::{NetworkError, Route, RouteMark, Way};

use super::LocalHost;
use crate::{Cause, NetworkItem, NetworkKey, RoutePlan};

impl LocalHost {
    /// The routes that carry our mark, with the names of the networks that they lead through.
    pub(super) async fn found_routes(&self) -> Result<Vec<RoutePlan>, Cause> {
        let found = self.network().list_routes(self.route_mark()).await?;
        let mut names = HashMap::new();
        let mut routes = Vec::with_capacity(found.len());
        for route in found {
            routes.push(self.found_route(route, &mut names).await);
        }
        Ok(routes)
    }

    /// A route as it is shown. `names` are the interfaces whose names are known already.
    pub(super) async fn found_route(&self, route: Route, names: &mut HashMap<u32, String>) -> RoutePlan {
        let via = match route.way {
            Way::Unreachable => None,
            Way::Via { next_hop, interface } => {
                if let std::collections::hash_map::Entry::Vacant(place) = names.entry(interface) {
                    // One that is gone has no name any more: no network is called like this.
                    let name = self.network().interface_name(interface).await.ok().flatten();
                    place.insert(name.unwrap_or_else(|| format!("#{interface}")));
                }
                Some((next_hop, names.get(&interface).cloned().unwrap_or_default()))
            }
        };
        RoutePlan {
            prefix: route.prefix,
            via,
        }
    }

    /// Compares all routes with what is wanted. Returns what is missing, and adds to `remove` what is there and not
    /// wanted.
    pub(super) async fn compare_routes(
        &self,
        wanted: &[NetworkItem],
        remove: &mut Vec<NetworkKey>,
    ) -> Result<Vec<NetworkItem>, Cause> {
        let found: HashSet<RoutePlan> = self.found_routes().await?.into_iter().collect();
        let wanted_routes: HashSet<&RoutePlan> = wanted.iter().filter_map(route_of).collect();
        let others: HashSet<NetworkKey> = found
            .iter()
            .filter(|route| !wanted_routes.contains(route))
            .map(RoutePlan::key)
            .collect();
        remove.extend(others);
        let missing = wanted
            .iter()
            .filter(|item| route_of(item).is_none_or(|route| !found.contains(route)));
        Ok(missing.cloned().collect())
    }

    pub(super) async fn set_route(&self, plan: &RoutePlan) -> Result<(), Cause> {
        let route = self.kernel_route(plan).await?;
        Ok(self.network().ensure_route(route, self.route_mark()).await?)
    }

    /// Removes the route of this key. Where another one is `wanted` under the key, only others than `known` are removed.
    pub(super) async fn drop_route(
        &self,
        prefix: Ipv6Net,
        key: &NetworkKey,
        known: Option<&RoutePlan>,
        wanted: bool,
    ) -> Result<(), Cause> {
        if let (Some(known), false) = (known, wanted) {
            return self.remove_this_route(known).await;
        }
        let kept = match known.filter(|_| wanted) {
            Some(known) => Some(self.kernel_route(known).await?),
            None => None,
        };
        let found = self.network().list_routes(self.route_mark()).await?;
        let is_of_key = |route: &Route| {
            let unreachable = matches!(key, NetworkKey::Unreachable(_));
            route.prefix == prefix && (route.way == Way::Unreachable) == unreachable
        };
        for route in found {
            if is_of_key(&route) && Some(route) != kept {
                self.network().remove_route(route, self.route_mark()).await?;
            }
        }
        Ok(())
    }

    /// Routes a prefix to an instance by its address on a bridge.
    pub(super) async fn ensure_routed(
        &self,
        prefix: Ipv6Net,
        address: Ipv6Addr,
        bridge: &str,
    ) -> Result<(), NetworkError> {
        let found = self.network().find_bridge(bridge).await?;
        let found = found.ok_or_else(|| NetworkError::BridgeMissing { bridge: bridge.into() })?;
        let way = Way::Via {
            next_hop: address,
            interface: found.index,
        };
        self.network()
            .ensure_route(Route { prefix, way }, self.route_mark())
            .await
    }

    /// Whether every route of these is there.
    pub(super) async fn has_routes(&self, wanted: &[RoutePlan]) -> Result<bool, Cause> {
        if wanted.is_empty() {
            return Ok(true);
        }
        let found: HashSet<RoutePlan> = self.found_routes().await?.into_iter().collect();
        Ok(wanted.iter().all(|route| found.contains(route)))
    }

    /// Removes these routes, and no others to the same prefixes. Returns why for each that is still there.
    pub(super) async fn remove_routes(&self, routes: &[RoutePlan]) -> Vec<Cause> {
        let mut causes = Vec::new();
        for route in routes {
            causes.extend(self.remove_this_route(route).await.err());
        }
        causes
    }

    async fn remove_this_route(&self, plan: &RoutePlan) -> Result<(), Cause> {
        match self.kernel_route(plan).await {
            Ok(route) => Ok(self.network().remove_route(route, self.route_mark()).await?),
            // The route went away with its bridge.
            Err(Cause::Network(NetworkError::BridgeMissing { .. })) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    async fn kernel_route(&self, plan: &RoutePlan) -> Result<Route, Cause> {
        let Some((next_hop, name)) = &plan.via else {
            return Ok(Route {
                prefix: plan.prefix,
                way: Way::Unreachable,
            });
        };
        let bridge = self.network().find_bridge(name).await?;
        let bridge = bridge.ok_or_else(|| NetworkError::BridgeMissing { bridge: name.clone() })?;
        Ok(Route {
            prefix: plan.prefix,
            way: Way::Via {
                next_hop: *next_hop,
                interface: bridge.index,
            },
        })
    }

    pub(super) fn route_mark(&self) -> RouteMark {
        RouteMark::of_site(self.inner.mark.site.bytes())
    }
}

fn route_of(item: &NetworkItem) -> Option<&RoutePlan> {
    match item {
        NetworkItem::Route(route) => Some(route),
        NetworkItem::Bridge(_) | NetworkItem::Policy(_) => None,
    }
}
