//! All names of one moment.

use std::net::Ipv6Addr;
use std::sync::Arc;

use hickory_proto::rr::Name;
use orchestrator_model::{InstanceId, Transport};

use super::fronts::Fronts;
use super::reverse::ReverseName;
use super::shards::Shards;
use super::{InstanceName, Label, Origins, ServiceHost, ServiceNode, ServicePort};

/// All names of one moment. It never changes: another moment has another directory. A copy costs little.
#[derive(Debug, Clone)]
pub struct Directory {
    pub(crate) origins: Arc<Origins>,
    /// Rises with every change (RFC 1912, section 2.2).
    pub(crate) serial: u32,
    pub(super) services: Shards<Label, Arc<ServiceNode>>,
    pub(super) fronts: Arc<Fronts>,
    pub(super) instances: Shards<Label, Arc<InstanceName>>,
    pub(super) clients: Shards<Label, Arc<ClientNode>>,
    /// The holders of each address. The first one gives the address its name.
    pub(super) holders: Shards<Ipv6Addr, Vec<Holder>>,
}

/// What is found below `client`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ClientNode {
    pub(super) addresses: Vec<Ipv6Addr>,
    pub(super) instances: Vec<InstanceName>,
}

/// The holder of an address, in the order of precedence: a client that claims the address of an instance does not take
/// its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holder {
    /// An instance of a service, by its name.
    Service(Label),
    /// An instance.
    Instance(InstanceId),
    /// A client: its id as a name, and the name that it claims.
    Client(Label, Option<Label>),
}

/// A question of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked<'d> {
    /// The number of labels of the zone's origin, which are the last ones of the name.
    pub(crate) origin: usize,
    pub(crate) found: Found<'d>,
    /// The balancers, if it is the name of a route.
    pub(crate) front: &'d [Ipv6Addr],
}

/// What a directory has for a name of its zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found<'d> {
    /// The origin of a zone itself, which has SOA and NS records.
    Origin,
    /// A name that only longer names make exist.
    Above,
    /// A service: the addresses and all ports of its instances.
    Service(&'d ServiceNode),
    /// One port of a service, on each of its instances.
    Port {
        service: &'d ServiceNode,
        port: &'d ServicePort,
    },
    /// An instance of a service.
    Host(&'d ServiceHost),
    /// An instance.
    Instance(&'d InstanceName),
    /// Addresses: those of a client, or of this server.
    Addresses(&'d [Ipv6Addr]),
    /// An address, with the name that it leads to in the zone: a label, and what it is below.
    Address(&'d str, &'static str),
    /// An address whose name is the id of an instance.
    AddressOfInstance(InstanceId),
    /// No such name exists.
    Nothing,
}

/// What names are below, in each zone.
pub(super) const SERVICE: &str = "service";
pub(super) const INSTANCE: &str = "instance";
pub(super) const CLIENT: &str = "client";
/// The name of this server.
pub(crate) const SERVER: &str = "ns";
/// The labels of protocols (RFC 2782).
const TRANSPORTS: [(&str, Transport); 2] = [("_tcp", Transport::Tcp), ("_udp", Transport::Udp)];

impl Directory {
    /// A directory without names.
    pub fn empty(origins: Origins) -> Self {
        Self {
            origins: Arc::new(origins),
            serial: 0,
            services: Shards::default(),
            fronts: Arc::default(),
            instances: Shards::default(),
            clients: Shards::default(),
            holders: Shards::default(),
        }
    }

    /// The number of services, of instances, and of names of clients.
    pub fn sizes(&self) -> [usize; 3] {
        [self.services.len(), self.instances.len(), self.clients.len()]
    }

    /// What there is for a name; `None` if it is in none of the zones.
    pub(crate) fn find(&self, name: &Name) -> Option<Asked<'_>> {
        let origins = &self.origins;
        let labels = |origin: &Name| usize::from(origin.num_labels());
        // The most specific zone has a name.
        let zones = std::iter::once((&origins.zone, false)).chain(origins.aliases.iter().map(|alias| (alias, true)));
        let zone = zones
            .filter(|(origin, _)| origin.zone_of(name))
            .max_by_key(|(origin, _)| labels(origin));
        if let Some((zone, is_alias)) = zone {
            let origin = labels(zone);
            // Not `num_labels`, which leaves out a leading asterisk.
            let own = name.iter().count().saturating_sub(origin);
            let found = match is_alias {
                false => self.find_in_zone(name, own),
                true => self.find_service(name, own, own),
            };
            let front = self.fronts.exact(name);
            let found = match found {
                Found::Nothing if !front.is_empty() => Found::Addresses(front),
                Found::Nothing if self.fronts.is_above(name) => Found::Above,
                Found::Nothing => match self.fronts.wildcard(name) {
                    [] => Found::Nothing,
                    balancers => Found::Addresses(balancers),
                },
                found => found,
            };
            return Some(Asked { origin, found, front });
        }
        self.find_address(&ReverseName::read(name)?)
    }

    /// Finds a name by its first labels.
    fn find_in_zone(&self, name: &Name, own: usize) -> Found<'_> {
        let Some(last) = own.checked_sub(1) else {
            return Found::Origin;
        };
        let is = |word: &str| nth(name, last).is_some_and(|label| label.eq_ignore_ascii_case(word.as_bytes()));
        match last {
            0 if is(SERVER) => Found::Addresses(&self.origins.servers),
            _ if is(SERVICE) => self.find_service(name, last, own),
            0 if is(INSTANCE) || is(CLIENT) => Found::Above,
            1 if is(INSTANCE) => self.find_instance(name),
            1 | 2 if is(CLIENT) => self.find_client(name, last),
            _ => Found::Nothing,
        }
    }

    /// Finds what has these first labels below the services; `own` labels are the zone's.
    fn find_service(&self, name: &Name, below: usize, own: usize) -> Found<'_> {
        let Some(last) = below.checked_sub(1) else {
            return if own == 0 { Found::Origin } else { Found::Above };
        };
        let Some(service) = label(name, last).and_then(|label| self.services.get(&label)) else {
            return Found::Nothing;
        };
        if last == 0 {
            return Found::Service(service);
        }
        let transport = nth(name, last - 1).and_then(|label| {
            let known = TRANSPORTS
                .iter()
                .find(|(word, _)| label.eq_ignore_ascii_case(word.as_bytes()));
            known.map(|(_, transport)| *transport)
        });
        let mut ports = service.ports.iter().filter(|port| Some(port.transport) == transport);
        match last {
            1 if ports.next().is_some() => Found::Above,
            2 => {
                let named = nth(name, 0).and_then(|label| label.strip_prefix(b"_"));
                let port = ports
                    .find(|port| named.is_some_and(|named| named.eq_ignore_ascii_case(port.name.as_str().as_bytes())));
                port.map_or(Found::Nothing, |port| Found::Port { service, port })
            }
            _ => Found::Nothing,
        }
    }

    fn find_instance(&self, name: &Name) -> Found<'_> {
        let Some(label) = label(name, 0) else {
            return Found::Nothing;
        };
        if let Some(instance) = self.instances.get(&label) {
            return Found::Instance(instance);
        }
        // `web-0` is an instance of the service `web`; one that is known by its id alone is looked for in none.
        let of = label
            .as_str()
            .rsplit_once('-')
            .and_then(|(of, _)| self.services.get(of));
        let host = of.and_then(|service| service.hosts.iter().find(|host| host.label == label));
        host.map_or(Found::Nothing, Found::Host)
    }

    fn find_client(&self, name: &Name, last: usize) -> Found<'_> {
        let Some(client) = label(name, last - 1).and_then(|label| self.clients.get(&label)) else {
            return Found::Nothing;
        };
        if last == 1 {
            return Found::Addresses(&client.addresses);
        }
        let slot = label(name, 0);
        let mut instances = client.instances.iter();
        let found = instances.find(|instance| slot.is_some() && instance.slot == slot);
        found.map_or(Found::Nothing, Found::Instance)
    }

    fn find_address(&self, name: &ReverseName) -> Option<Asked<'_>> {
        let zone = self.origins.reverse.iter().find(|zone| zone.contains(name))?;
        let origin = zone.labels();
        let found = match name.address() {
            _ if name.digits + 2 == origin => Found::Origin,
            Some(address) => self.name_of(address),
            // Resolvers that ask label by label (RFC 9156) are to go on.
            None => Found::Above,
        };
        Some(Asked {
            origin,
            found,
            front: &[],
        })
    }

    fn name_of(&self, address: Ipv6Addr) -> Found<'_> {
        match self.holders.get(&address).and_then(|holders| holders.first()) {
            None => Found::Nothing,
            Some(Holder::Service(label)) => Found::Address(label.as_str(), INSTANCE),
            Some(Holder::Instance(id)) => Found::AddressOfInstance(*id),
            Some(Holder::Client(id, claimed)) => {
                // People like the name that they chose better than an id. It leads back only if the client has it.
                let leads_back = |claimed: &&Label| {
                    let named = self.clients.get(*claimed);
                    named.is_some_and(|client| client.addresses.contains(&address))
                };
                let label = claimed.as_ref().filter(leads_back).unwrap_or(id);
                Found::Address(label.as_str(), CLIENT)
            }
        }
    }
}

fn nth(name: &Name, index: usize) -> Option<&[u8]> {
    name.iter().nth(index)
}

/// A label of a name, as services, instances and clients have them; `None` if it is of another kind.
fn label(name: &Name, index: usize) -> Option<Label> {
    std::str::from_utf8(nth(name, index)?).ok()?.parse().ok()
}
