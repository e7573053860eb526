//! The bridges, routes and policy of a fake machine.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_network::{Bridge, BridgeFlaw, BridgeIdentity, NetworkError, ObservedBridge};

use super::{FakeFilter, FakeMachine, FakeState};
use crate::{
    Applied, BridgePlan, BridgePurpose, Cause, FoundBridge, HostChange, NetworkChange, NetworkItem, NetworkKey,
    NetworkPart, RoutePlan, WatchScope,
};

/// A bridge of a fake machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeBridge {
    /// Its number. A bridge that is made again has another one.
    pub index: u32,
    /// How many ports it has for attachments.
    pub ports: usize,
    /// What we made it for; `None` when somebody else made it.
    pub made_for: Option<BridgePurpose>,
    /// Whether it is up.
    pub up: bool,
    /// The host's address on it.
    pub address: Option<Ipv6Net>,
    /// Further addresses of the host on it.
    pub services: Vec<Ipv6Addr>,
    /// Its MTU in bytes.
    pub mtu: u32,
}

/// A route of a fake machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeRoute {
    /// The route.
    pub plan: RoutePlan,
    /// Whether it carries our mark.
    pub ours: bool,
}

impl FakeBridge {
    /// A bridge that somebody else made.
    pub(super) fn new(index: u32, ports: usize) -> Self {
        Self {
            index,
            ports,
            made_for: None,
            up: true,
            address: None,
            services: Vec::new(),
            mtu: 1500,
        }
    }

    fn mac(&self) -> [u8; 6] {
        let [a, b, c, d] = self.index.to_be_bytes();
        [2, 0xff, a, b, c, d]
    }

    fn link_local(&self) -> Ipv6Addr {
        let [high, low] = [self.index >> 16, self.index & 0xffff].map(|half| half as u16);
        Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, high, low)
    }
}

impl FakeMachine {
    pub(super) async fn bring_networks(
        &self,
        part: &NetworkPart,
        from: u64,
        to: u64,
        change: &NetworkChange,
    ) -> Result<Applied, (String, Cause)> {
        let at = self.ask("apply", None, |state| state.generations.get(part).copied());
        let at = at.await.map_err(|fault| (part.to_string(), fault))?;
        if *part == NetworkPart::Policy && self.with(|state| state.filter != FakeFilter::Works) {
            let reason = "the test has it lack nft".to_owned();
            return Err((part.to_string(), NetworkError::NoFilter { reason }.into()));
        }
        let (set, remove) = match change {
            NetworkChange::Difference { .. } if at != Some(from) => return Ok(Applied::NeedsWhole { at }),
            NetworkChange::Difference { set, remove } => (set, remove.clone()),
            NetworkChange::Whole(items) => (items, self.with(|state| unwanted(state, part, items))),
        };
        self.with(|state| state.generations.remove(part));
        let mut failed = None;
        for item in set {
            if let Err(fault) = self.bring(|state| set_item(state, item)).await {
                failed.get_or_insert((item.key().to_string(), fault));
            }
        }
        let wanted: BTreeSet<NetworkKey> = set.iter().map(NetworkItem::key).collect();
        for key in remove.iter().filter(|key| !wanted.contains(key)) {
            if let Err(fault) = self.bring(|state| remove_key(state, key)).await {
                failed.get_or_insert((key.to_string(), fault));
            }
        }
        match failed {
            Some(failed) => Err(failed),
            None => {
                self.with(|state| state.generations.insert(part.clone(), to));
                Ok(Applied::Done)
            }
        }
    }

    async fn bring(&self, effect: impl FnOnce(&mut FakeState) -> Result<(), NetworkError>) -> Result<(), Cause> {
        let mut refused = None;
        let effect = |state: &mut FakeState| refused = effect(state).err();
        self.change("apply", None, effect).await?;
        refused.map_or(Ok(()), |fault| Err(fault.into()))
    }
}

impl FakeState {
    /// The routes that carry our mark, in order.
    pub fn our_routes(&self) -> BTreeSet<RoutePlan> {
        let ours = self.routes.iter().filter(|route| route.ours);
        ours.map(|route| route.plan.clone()).collect()
    }

    /// Gives a bridge so many ports, and makes it where there is none. Nobody is notified.
    pub fn set_ports(&mut self, bridge: &str, ports: usize) {
        let index = self.next_index();
        self.bridges
            .entry(bridge.to_owned())
            .or_insert_with(|| FakeBridge::new(index, ports))
            .ports = ports;
    }

    /// Makes a route of ours, in place of one under the same key.
    pub(super) fn set_route(&mut self, plan: &RoutePlan) -> Result<(), NetworkError> {
        if let Some((_, network)) = &plan.via
            && !self.bridges.contains_key(network)
        {
            return Err(NetworkError::BridgeMissing {
                bridge: network.clone(),
            });
        }
        self.routes
            .retain(|route| !route.ours || route.plan.key() != plan.key());
        self.routes.push(FakeRoute {
            plan: plan.clone(),
            ours: true,
        });
        Ok(())
    }

    /// Removes our route of this key, and reports it as the kernel does.
    pub(super) fn drop_route(&mut self, key: &NetworkKey) {
        let is_gone = |route: &FakeRoute| route.ours && route.plan.key() == *key;
        let gone: Vec<RoutePlan> = self
            .routes
            .iter()
            .filter(|route| is_gone(route))
            .map(|route| route.plan.clone())
            .collect();
        self.routes.retain(|route| !is_gone(route));
        for plan in gone {
            self.report(&WatchScope::Routes, &HostChange::RouteGone(plan));
        }
    }

    /// Removes the policy, our routes and the bridges that we made. Returns what was removed.
    pub(super) fn teardown(&mut self) -> Vec<String> {
        let mut gone = Vec::new();
        if !self.policy.is_empty() {
            self.policy.clear();
            gone.push("the policy".to_owned());
        }
        for route in self.our_routes() {
            gone.push(route.key().to_string());
            self.drop_route(&route.key());
        }
        for bridge in self.made_bridges().into_iter().filter(|bridge| bridge.ports == 0) {
            self.bridges.remove(&bridge.name);
            gone.push(format!("bridge {}", bridge.name));
        }
        self.generations.clear();
        gone
    }

    pub(super) fn next_index(&mut self) -> u32 {
        self.indexes += 1;
        self.indexes
    }

    /// The bridges that we made for networks.
    pub(super) fn made_bridges(&self) -> Vec<FoundBridge> {
        let made = |bridge: &FakeBridge| bridge.made_for == Some(BridgePurpose::Network);
        let all = self.bridges.iter().filter(|(_, bridge)| made(bridge));
        all.map(|(name, _)| FoundBridge {
            name: name.clone(),
            ports: self.attachments.values().filter(|one| one.bridge == *name).count(),
        })
        .collect()
    }

    /// A bridge as it is compared with its plan.
    pub(super) fn observe_bridge(&self, plan: &BridgePlan) -> Option<ObservedBridge> {
        let bridge = self.bridges.get(&plan.name)?;
        let ours = bridge.made_for.is_some();
        let mut flaws = Vec::new();
        if !bridge.up {
            flaws.push(BridgeFlaw::Down);
        }
        if let Some(address) = plan.address.filter(|address| bridge.address != Some(*address)) {
            flaws.push(BridgeFlaw::NoAddress(address));
        }
        let missing = plan.services.iter().filter(|one| !bridge.services.contains(one));
        flaws.extend(missing.map(|address| BridgeFlaw::NoAddress((*address).into())));
        let stray = bridge.services.iter().filter(|one| !plan.services.contains(one));
        flaws.extend(stray.map(|address| BridgeFlaw::StrayAddress(*address)));
        if plan.mtu.is_some_and(|mtu| ours && bridge.mtu != mtu) {
            flaws.push(BridgeFlaw::OtherMtu(bridge.mtu));
        }
        Some(ObservedBridge {
            bridge: Bridge {
                name: plan.name.clone(),
                index: bridge.index,
                up: bridge.up,
                mac: Some(bridge.mac()),
                mtu: bridge.mtu,
                ours,
            },
            identity: BridgeIdentity {
                mac: Some(bridge.mac()),
                link_local: Some(bridge.link_local()),
            },
            flaws,
            hazards: Vec::new(),
        })
    }
}

/// What is there of a part and is not wanted: routes that carry our mark, and policy.
fn unwanted(state: &FakeState, part: &NetworkPart, wanted: &[NetworkItem]) -> Vec<NetworkKey> {
    let wanted: BTreeSet<NetworkKey> = wanted.iter().map(NetworkItem::key).collect();
    let ours: Vec<NetworkKey> = match part {
        NetworkPart::Routes => state.our_routes().iter().map(RoutePlan::key).collect(),
        NetworkPart::Policy => state.policy.keys().cloned().map(NetworkKey::Policy).collect(),
        NetworkPart::Networks | NetworkPart::Link(_) => Vec::new(),
    };
    ours.into_iter().filter(|key| !wanted.contains(key)).collect()
}

fn set_item(state: &mut FakeState, item: &NetworkItem) -> Result<(), NetworkError> {
    match item {
        NetworkItem::Bridge(plan) => set_bridge(state, plan),
        NetworkItem::Route(plan) => state.set_route(plan),
        NetworkItem::Policy(item) if state.refused_policy.contains(&item.key()) => {
            state.policy.remove(&item.key());
            Err(NetworkError::BadPlan {
                subject: item.key().to_string(),
                reason: "the test has it refused".to_owned(),
            })
        }
        NetworkItem::Policy(item) => {
            state.policy.insert(item.key(), item.clone());
            Ok(())
        }
    }
}

fn set_bridge(state: &mut FakeState, plan: &BridgePlan) -> Result<(), NetworkError> {
    if !state.bridges.contains_key(&plan.name) {
        if !plan.create {
            return Err(NetworkError::BridgeMissing {
                bridge: plan.name.clone(),
            });
        }
        let mut bridge = FakeBridge::new(state.next_index(), 1023);
        bridge.made_for = Some(plan.purpose);
        state.bridges.insert(plan.name.clone(), bridge);
        state.report(
            &WatchScope::Networks,
            &HostChange::BridgeUp {
                name: plan.name.clone(),
            },
        );
    }
    if let Some(bridge) = state.bridges.get_mut(&plan.name) {
        bridge.up = true;
        bridge.address = plan.address.or(bridge.address);
        bridge.services.clone_from(&plan.services);
        if let Some(mtu) = plan.mtu.filter(|_| bridge.made_for.is_some()) {
            bridge.mtu = mtu;
        }
    }
    state.report(&WatchScope::Interfaces, &HostChange::Interfaces);
    Ok(())
}

/// A bridge goes only if we made it for a network and nothing is on it.
fn remove_key(state: &mut FakeState, key: &NetworkKey) -> Result<(), NetworkError> {
    match key {
        NetworkKey::Bridge(name) => {
            let free = state
                .made_bridges()
                .iter()
                .any(|made| made.name == *name && made.ports == 0);
            if free {
                state.bridges.remove(name);
                state.report(&WatchScope::Interfaces, &HostChange::Interfaces);
            }
        }
        NetworkKey::Route(_) | NetworkKey::Unreachable(_) => state.drop_route(key),
        NetworkKey::Policy(key) => drop(state.policy.remove(key)),
    }
    Ok(())
}
