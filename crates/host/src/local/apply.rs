//! Brings bridges and routes to what they are to be.

use std::collections::BTreeMap;

use orchestrator_network as network;
use orchestrator_network::{Route, RouteMark, Way};

use super::LocalHost;
use crate::{Applied, BridgePlan, Cause, HostCapability, HostError, NetworkChange, NetworkItem, NetworkKey, RoutePlan};

/// The generation of the host's networks.
#[derive(Debug, Default)]
pub(super) struct State {
    generation: Option<u64>,
    items: BTreeMap<NetworkKey, NetworkItem>,
}

impl LocalHost {
    pub(super) async fn apply_change(&self, from: u64, to: u64, change: &NetworkChange) -> Result<Applied, HostError> {
        // One change after another: a second one begins at what the first has come to.
        let mut state = self.inner.generation.lock().await;
        let (set, remove) = match change {
            NetworkChange::Difference { .. } if state.generation != Some(from) => {
                return Ok(Applied::NeedsWhole { at: state.generation });
            }
            NetworkChange::Difference { set, remove } => (set.clone(), remove.clone()),
            NetworkChange::Whole(items) => {
                let wanted: Vec<NetworkKey> = items.iter().map(NetworkItem::key).collect();
                let gone = state.items.keys().filter(|key| !wanted.contains(key)).cloned();
                (items.clone(), gone.collect())
            }
        };
        // A change that failed half-way is at no generation. Then only the whole is accepted.
        state.generation = None;
        for key in remove {
            if let Some(item) = state.items.get(&key).cloned() {
                self.remove_item(&item)
                    .await
                    .map_err(|source| self.not_applied(&key, source))?;
                state.items.remove(&key);
            }
        }
        for item in set {
            self.set_item(&item)
                .await
                .map_err(|source| self.not_applied(&item.key(), source))?;
            state.items.insert(item.key(), item);
        }
        state.generation = Some(to);
        Ok(Applied::Done)
    }

    async fn set_item(&self, item: &NetworkItem) -> Result<(), Cause> {
        match item {
            NetworkItem::Bridge(bridge) => Ok(self.network().ensure_bridge(&self.bridge(bridge)).await.map(drop)?),
            NetworkItem::Route(route) => {
                let route = self.route(route).await?;
                Ok(self.network().ensure_route(route, self.route_mark()).await?)
            }
            NetworkItem::Binding { .. } => Err(self.unsupported(HostCapability::Policy)),
        }
    }

    /// A bridge is left as it is: it may have ports that are not ours.
    async fn remove_item(&self, item: &NetworkItem) -> Result<(), Cause> {
        match item {
            NetworkItem::Bridge(_) | NetworkItem::Binding { .. } => Ok(()),
            NetworkItem::Route(route) => match self.route(route).await {
                // The route went away with its bridge.
                Err(Cause::Network(network::NetworkError::BridgeMissing { .. })) => Ok(()),
                Err(fault) => Err(fault),
                Ok(route) => Ok(self.network().remove_route(route, self.route_mark()).await?),
            },
        }
    }

    fn bridge(&self, plan: &BridgePlan) -> network::BridgePlan {
        network::BridgePlan {
            name: plan.name.clone(),
            create: plan.create,
            address: plan.address,
            mark: format!("{}link", self.alias_prefix()),
        }
    }

    async fn route(&self, plan: &RoutePlan) -> Result<Route, Cause> {
        let Some((next_hop, name)) = &plan.via else {
            return Ok(Route {
                prefix: plan.prefix,
                way: Way::Unreachable,
            });
        };
        let bridge = self.network().find_bridge(name).await?;
        let bridge = bridge.ok_or_else(|| network::NetworkError::BridgeMissing { bridge: name.clone() })?;
        Ok(Route {
            prefix: plan.prefix,
            way: Way::Via {
                next_hop: *next_hop,
                interface: bridge.index,
            },
        })
    }

    fn route_mark(&self) -> RouteMark {
        let [a, b, c, d, ..] = self.inner.mark.site.bytes();
        RouteMark::new(u32::from_be_bytes([a, b, c, d]))
    }

    fn not_applied(&self, key: &NetworkKey, source: Cause) -> HostError {
        HostError::Apply {
            host: self.inner.name.clone(),
            subject: match key {
                NetworkKey::Bridge(name) => format!("bridge {name}"),
                NetworkKey::Route(prefix) => format!("the route to {prefix}"),
                NetworkKey::Binding { network, prefix } => format!("the binding of {prefix} on {network}"),
            },
            source,
        }
    }
}
