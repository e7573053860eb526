//! What the packet filter is to hold: items, and the ports and bridges of the machine, as elements.
//!
//! An element may be there for several reasons. It is counted, and goes with the last of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_network::{FilterElement, FilterRole, NetworkError, Segment, SegmentPort, joined_to, link_local};

use super::egress::{self, Classes};
use crate::{Pair, PolicyItem, PolicyKey, PortRole, Protocol, Traffic};

/// What elements are made for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Reason {
    /// A bridge of this machine.
    Bridge(String),
    /// A port of this machine.
    Port(String),
    /// An item of the policy.
    Item(PolicyKey),
}

/// Elements to be removed and to be added.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Delta {
    pub(super) remove: Vec<FilterElement>,
    pub(super) add: Vec<FilterElement>,
}

/// All items, and the elements that follow from them.
#[derive(Debug, Default)]
pub(super) struct Book {
    /// The prefix of the alias of our own host ends.
    alias_prefix: String,
    items: BTreeMap<PolicyKey, PolicyItem>,
    segments: BTreeMap<String, Segment>,
    ports: BTreeMap<String, (SegmentPort, String)>,
    /// Items of instances and pairs, by the instance's port.
    instances: BTreeMap<String, BTreeSet<PolicyKey>>,
    pairs: BTreeMap<String, BTreeSet<PolicyKey>>,
    classes: Classes,
    made: HashMap<Reason, Vec<FilterElement>>,
    reasons: HashMap<FilterElement, usize>,
    /// Elements that changed since the last delta, and whether they were there.
    touched: HashMap<FilterElement, bool>,
}

impl Book {
    pub(super) fn new(alias_prefix: String) -> Self {
        Self {
            alias_prefix,
            ..Self::default()
        }
    }

    /// The items.
    pub(super) fn keys(&self) -> impl Iterator<Item = &PolicyKey> {
        self.items.keys()
    }

    /// All elements that are to be there.
    pub(super) fn elements(&self) -> BTreeSet<FilterElement> {
        self.reasons.keys().cloned().collect()
    }

    /// What each reason is there for.
    pub(super) fn made(&self) -> impl Iterator<Item = (&Reason, &Vec<FilterElement>)> {
        self.made.iter()
    }

    /// The port that has this address.
    pub(super) fn port_of(&self, address: Ipv6Addr) -> Option<&str> {
        let of = |item: &PolicyItem| match item {
            PolicyItem::Instance(instance) => instance.prefix == Ipv6Net::from(address),
            _ => false,
        };
        self.instances.iter().find_map(|(port, keys)| {
            let any = keys.iter().filter_map(|key| self.items.get(key)).any(of);
            any.then_some(port.as_str())
        })
    }

    /// The bridge that a port is on: of an instance's port, the one of its link.
    pub(super) fn bridge_of(&self, port: &str) -> Option<&str> {
        let keys = self.instances.get(port).into_iter().flatten();
        let of_instance = keys.filter_map(|key| self.items.get(key)).find_map(|item| match item {
            PolicyItem::Instance(instance) => Some(instance.bridge.as_str()),
            _ => None,
        });
        of_instance.or_else(|| self.ports.get(port).map(|(_, bridge)| bridge.as_str()))
    }

    /// How many elements each set is to have.
    pub(super) fn sizes(&self) -> BTreeMap<String, usize> {
        let mut sizes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for element in self.reasons.keys() {
            *sizes.entry(element.place()).or_default() += 1;
        }
        let named = sizes.into_iter();
        named
            .map(|((family, set), size)| (format!("{family}/{set}"), size))
            .collect()
    }

    /// Takes in all bridges of the machine.
    pub(super) fn set_segments(&mut self, segments: Vec<Segment>) {
        let old_ports: Vec<String> = self.ports.keys().cloned().collect();
        let old_bridges: Vec<String> = self.segments.keys().cloned().collect();
        self.ports.clear();
        self.segments.clear();
        for segment in segments {
            for port in &segment.ports {
                self.ports
                    .insert(port.name.clone(), (port.clone(), segment.bridge.clone()));
            }
            self.segments.insert(segment.bridge.clone(), segment);
        }
        let bridges: BTreeSet<String> = old_bridges.into_iter().chain(self.segments.keys().cloned()).collect();
        for bridge in bridges {
            self.refresh(Reason::Bridge(bridge));
        }
        let ports: BTreeSet<String> = old_ports.into_iter().chain(self.ports.keys().cloned()).collect();
        for port in ports {
            self.refresh(Reason::Port(port));
        }
    }

    /// A port of the machine is on this bridge now, or on none.
    pub(super) fn set_port(&mut self, port: SegmentPort, bridge: Option<String>) {
        let name = port.name.clone();
        match bridge {
            Some(bridge) => drop(self.ports.insert(name.clone(), (port, bridge))),
            None => drop(self.ports.remove(&name)),
        }
        self.refresh(Reason::Port(name));
    }

    /// Sets an item in place of the one with the same key.
    ///
    /// # Errors
    ///
    /// [`BadPlan`](NetworkError::BadPlan) when there are too many different lists of destinations.
    pub(super) fn set(&mut self, item: PolicyItem) -> Result<(), NetworkError> {
        let key = item.key();
        if self.items.get(&key) == Some(&item) {
            return Ok(());
        }
        if let PolicyItem::Egress { to, .. } = &item
            && self.classes.take(to).is_none()
        {
            return Err(NetworkError::BadPlan {
                subject: key.to_string(),
                reason: format!(
                    "there are more than {} different lists of destinations; let templates share them",
                    FilterElement::CLASSES
                ),
            });
        }
        let before = self.items.insert(key.clone(), item);
        self.changed(&key, before.as_ref());
        Ok(())
    }

    /// Removes an item.
    pub(super) fn remove(&mut self, key: &PolicyKey) {
        if let Some(before) = self.items.remove(key) {
            self.changed(key, Some(&before));
        }
    }

    /// What changed since the last call.
    pub(super) fn delta(&mut self) -> Delta {
        let mut delta = Delta::default();
        for (element, was) in self.touched.drain() {
            match (was, self.reasons.contains_key(&element)) {
                (true, false) => delta.remove.push(element),
                (false, true) => delta.add.push(element),
                _ => {}
            }
        }
        delta
    }

    /// Makes the elements of an item anew, and those of what depends on it.
    fn changed(&mut self, key: &PolicyKey, before: Option<&PolicyItem>) {
        let after = self.items.get(key).cloned();
        index(
            &mut self.instances,
            key,
            instance_port(before),
            instance_port(after.as_ref()),
        );
        index(&mut self.pairs, key, pair_port(before), pair_port(after.as_ref()));
        self.refresh(Reason::Item(key.clone()));
        if let Some(PolicyItem::Egress { to, .. }) = before {
            self.classes.give_back(to);
        }
        match key {
            PolicyKey::Link(bridge) => {
                let on_it = self.ports.iter().filter(|(_, (_, on))| self.link_of(on) == *bridge);
                let ports: BTreeSet<String> = on_it
                    .map(|(port, _)| port.clone())
                    .chain(self.instances.keys().cloned())
                    .collect();
                let joined = self.segments.keys().filter(|name| self.link_of(name) == *bridge);
                let bridges: BTreeSet<String> = joined.chain([bridge]).cloned().collect();
                for bridge in bridges {
                    self.refresh(Reason::Bridge(bridge));
                }
                for port in ports {
                    self.refresh(Reason::Port(port));
                }
            }
            PolicyKey::Port(port) | PolicyKey::Rate(port) => self.refresh(Reason::Port(port.clone())),
            PolicyKey::Instance { port, prefix } => {
                self.refresh(Reason::Port(port.clone()));
                if prefix.prefix_len() < 128 {
                    let pairs = self.pairs.get(port).cloned().unwrap_or_default();
                    for pair in pairs {
                        self.refresh(Reason::Item(pair));
                    }
                }
            }
            _ => {}
        }
    }

    fn refresh(&mut self, reason: Reason) {
        let now: Vec<FilterElement> = {
            let set: BTreeSet<FilterElement> = self.elements_of(&reason).into_iter().collect();
            set.into_iter().collect()
        };
        for element in &now {
            let count = self.reasons.entry(element.clone()).or_default();
            if *count == 0 {
                self.touched.entry(element.clone()).or_insert(false);
            }
            *count += 1;
        }
        let before = match now.is_empty() {
            true => self.made.remove(&reason),
            false => self.made.insert(reason, now),
        };
        for element in before.into_iter().flatten() {
            if let Some(count) = self.reasons.get_mut(&element) {
                *count -= 1;
                if *count == 0 {
                    self.reasons.remove(&element);
                    self.touched.entry(element).or_insert(true);
                }
            }
        }
    }

    fn elements_of(&mut self, reason: &Reason) -> Vec<FilterElement> {
        match reason {
            Reason::Bridge(bridge) => self.of_bridge(bridge),
            Reason::Port(port) => self.of_port(port),
            Reason::Item(PolicyKey::Egress(address)) => self.of_egress(*address),
            Reason::Item(key) => self.items.get(key).map(|item| self.of_item(item)).unwrap_or_default(),
        }
    }

    /// The bridge of the link that this bridge belongs to: itself, or the one that it is joined with.
    fn link_of(&self, bridge: &str) -> String {
        let alias = self.segments.get(bridge).map(|segment| segment.alias.as_str());
        let of = alias.and_then(|alias| joined_to(alias, &self.alias_prefix));
        of.unwrap_or_else(|| bridge.to_owned())
    }

    fn of_bridge(&self, bridge: &str) -> Vec<FilterElement> {
        let of = self.link_of(bridge);
        let is_joined = of != bridge;
        let policy = self.items.get(&PolicyKey::Link(of));
        let (Some(PolicyItem::Link(link)), Some(segment)) = (policy, self.segments.get(bridge)) else {
            return Vec::new();
        };
        if is_joined {
            return vec![FilterElement::joined(bridge)];
        }
        let mut all = Vec::new();
        for (mac, address) in segment
            .mac
            .iter()
            .flat_map(|mac| segment.addresses.iter().map(move |at| (mac, at)))
        {
            all.extend(FilterElement::host(*mac, *address));
        }
        if !link.enforce {
            all.extend(FilterElement::lenient(bridge));
        }
        all
    }

    /// The role of a port. One that carries our mark is an instance's, also before the policy has it.
    fn of_port(&self, port: &str) -> Vec<FilterElement> {
        let of_instance = self.instances.get(port).and_then(|keys| {
            keys.iter().find_map(|key| match self.items.get(key) {
                Some(PolicyItem::Instance(instance)) => Some(instance.bridge.clone()),
                _ => None,
            })
        });
        let found = self.ports.get(port);
        let Some(bridge) = of_instance
            .clone()
            .or_else(|| found.map(|(_, bridge)| self.link_of(bridge)))
        else {
            return Vec::new();
        };
        let Some(PolicyItem::Link(link)) = self.items.get(&PolicyKey::Link(bridge)) else {
            return Vec::new();
        };
        if found.is_some_and(|(found, _)| found.made && joined_to(&found.alias, &self.alias_prefix).is_some()) {
            // What comes by it has been checked on the other bridge, or is checked where it leaves this one.
            let lenient = (!link.enforce).then(|| FilterElement::lenient(port));
            return lenient
                .into_iter()
                .flatten()
                .chain([FilterElement::join(port)])
                .collect();
        }
        let named = self.items.get(&PolicyKey::Port(port.to_owned()));
        let role = match (named, found) {
            (Some(PolicyItem::Port { role, .. }), _) => *role,
            _ if of_instance.is_some() => PortRole::Instance,
            (_, Some((found, _))) if found.alias.starts_with(&self.alias_prefix) => PortRole::Instance,
            (_, Some((found, _))) if found.made && found.alias.is_empty() => PortRole::Instance,
            // The instance of another site, which filters its own.
            (_, Some((found, _))) if found.made => PortRole::Trusted,
            _ => link.others,
        };
        let mut all = match role {
            PortRole::Client => FilterElement::role(port, FilterRole::Client),
            PortRole::Instance | PortRole::Parked => {
                let limited = self.items.contains_key(&PolicyKey::Rate(port.to_owned()));
                let role = if limited {
                    FilterRole::LimitedInstance
                } else {
                    FilterRole::Instance
                };
                FilterElement::role(port, role)
            }
            PortRole::Relay => FilterElement::role(port, FilterRole::Relay),
            PortRole::Router => FilterElement::role(port, FilterRole::Router),
            PortRole::Trusted => return Vec::new(),
        };
        if !link.enforce {
            all.extend(FilterElement::lenient(port));
        }
        if role == PortRole::Client {
            all.extend(link.ipv4.then(|| FilterElement::ipv4(port)));
            all.extend((!link.clients_together).then(|| FilterElement::apart(port)));
            if link.unbound {
                all.extend(FilterElement::unbound(port, link.prefix));
            }
        }
        all
    }

    fn of_egress(&mut self, address: Ipv6Addr) -> Vec<FilterElement> {
        let Some(PolicyItem::Egress { to, .. }) = self.items.get(&PolicyKey::Egress(address)) else {
            return Vec::new();
        };
        // It was taken when the item was set: this only finds it.
        let Some(class) = self.classes.take(to) else {
            return Vec::new();
        };
        self.classes.give_back(to);
        let mut all = egress::elements(class, to);
        all.push(FilterElement::egress(address, class));
        all
    }

    fn of_item(&self, item: &PolicyItem) -> Vec<FilterElement> {
        match item {
            PolicyItem::Link(link) => FilterElement::link(&link.bridge, link.prefix),
            PolicyItem::Port { .. } | PolicyItem::Egress { .. } => Vec::new(),
            PolicyItem::Client(client) => FilterElement::client(client.port.as_deref(), client.mac, client.prefix),
            PolicyItem::Instance(instance) => {
                FilterElement::instance(&instance.bridge, &instance.port, instance.mac, instance.prefix)
            }
            PolicyItem::Pair(pair) => self.of_pair(pair),
            PolicyItem::Peer { from, to, traffic } => {
                FilterElement::peer((from.mac, from.address), (to.mac, to.address), sockets(*traffic))
            }
            PolicyItem::Open { to, traffic } => FilterElement::open(to.mac, to.address, sockets(*traffic)),
            PolicyItem::Nat { address } => vec![FilterElement::nat(*address)],
            PolicyItem::Rate(rate) => {
                let packets = rate.packets.map(|limit| FilterElement::packet_rate(&rate.port, limit));
                let bytes = rate.bytes.map(|limit| FilterElement::byte_rate(&rate.port, limit));
                packets.into_iter().chain(bytes).collect()
            }
            PolicyItem::Service { address, traffic } => vec![FilterElement::service(*address, sockets(*traffic))],
            PolicyItem::Door(door) => {
                FilterElement::door(door.front, door.source, door.traffic.map(sockets), door.instance)
            }
        }
    }

    fn of_pair(&self, pair: &Pair) -> Vec<FilterElement> {
        let instance = &pair.instance;
        let mut all = Vec::new();
        if let Some(client) = pair.client {
            all.extend(FilterElement::pair_on_bridge(
                (client, pair.source),
                (&instance.port, instance.mac, instance.address),
            ));
        }
        if pair.source.addr().is_unicast_link_local() || instance.address == link_local(instance.mac) {
            return all;
        }
        all.push(FilterElement::pair_routed(pair.source, instance.address.into()));
        let keys = self.instances.get(&instance.port).into_iter().flatten();
        let prefixes = keys.filter_map(|key| match key {
            PolicyKey::Instance { prefix, .. } if prefix.prefix_len() < 128 => Some(*prefix),
            _ => None,
        });
        all.extend(prefixes.map(|prefix| FilterElement::pair_routed(pair.source, prefix)));
        all
    }
}

fn sockets(traffic: Traffic) -> (u8, u16, u16) {
    let protocol = match traffic.protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
    };
    (protocol, traffic.first, traffic.last.max(traffic.first))
}

fn instance_port(item: Option<&PolicyItem>) -> Option<&str> {
    match item {
        Some(PolicyItem::Instance(instance)) => Some(&instance.port),
        _ => None,
    }
}

fn pair_port(item: Option<&PolicyItem>) -> Option<&str> {
    match item {
        Some(PolicyItem::Pair(pair)) => Some(&pair.instance.port),
        _ => None,
    }
}

/// Keeps the keys of items by port.
fn index(of: &mut BTreeMap<String, BTreeSet<PolicyKey>>, key: &PolicyKey, before: Option<&str>, after: Option<&str>) {
    if let Some(keys) = before.and_then(|port| of.get_mut(port)) {
        keys.remove(key);
    }
    if let Some(port) = before.filter(|port| of.get(*port).is_some_and(BTreeSet::is_empty)) {
        of.remove(port);
    }
    if let Some(port) = after {
        of.entry(port.to_owned()).or_default().insert(key.clone());
    }
}
