//! All names of one moment.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::time::Duration;

use hickory_proto::rr::Name;

use super::facts::{Facts, ServiceName};
use super::reverse::{ReverseName, ReverseZone};
use super::zone::{Node, Relative, Zone};

/// Where names are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origins {
    /// The origin of the zone. Names of addresses lead to it.
    pub zone: Name,
    /// Further origins, under which the same names are found.
    pub aliases: Vec<Name>,
    /// The zones with the names of addresses.
    pub reverse: Vec<ReverseZone>,
    /// The name of this server.
    pub server: Name,
    /// For how long an answer may be kept.
    pub ttl: Duration,
}

/// All names of one moment. It never changes: another moment has another directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    pub(crate) origins: Origins,
    /// Rises with every change (RFC 1912, section 2.2).
    pub(crate) serial: u32,
    zone: Zone,
    /// The name of each address.
    names: BTreeMap<Ipv6Addr, Relative>,
}

/// What a directory has for a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found<'d> {
    /// A name of the zone, and the origin under which it was found.
    Node {
        node: &'d Node,
        /// How many labels of the name are the origin's.
        origin: usize,
    },
    /// The origin of a zone itself, which has SOA and NS records.
    Origin { origin: usize },
    /// A name of an address, with what it leads to; `None` where only longer names exist.
    Address {
        target: Option<&'d str>,
        /// As above.
        origin: usize,
    },
    /// No such name exists in the zone.
    Nothing { origin: usize },
    /// The name is in none of the zones.
    NotOurs,
}

impl Directory {
    /// The names of these facts. `serial` rises with every change of them.
    ///
    /// Names are given in the order of the facts: of several instances or clients with one name, the first has it. The id of
    /// a client is its name in any case, so nobody can take that by claiming it.
    pub fn new(origins: Origins, serial: u32, facts: &Facts) -> Self {
        let mut directory = Self {
            origins,
            serial,
            zone: Zone::default(),
            names: BTreeMap::new(),
        };
        // Names that clients claim come last, for addresses, too.
        directory.add_instances(facts);
        facts.services.iter().for_each(|service| directory.add_service(service));
        directory.add_clients(facts);
        directory
    }

    fn add_instances(&mut self, facts: &Facts) {
        for instance in &facts.instances {
            let name = format!("{}.instance", instance.name);
            if self.zone.get(&name).is_some() {
                continue;
            }
            let node = self.zone.node(&name);
            node.addresses.clone_from(&instance.addresses);
            let fits = |text: &&String| (1..=255).contains(&text.len());
            node.about = instance.about.iter().filter(fits).cloned().collect();
            self.name_addresses(&instance.addresses, &name);
        }
    }

    fn add_service(&mut self, service: &ServiceName) {
        let own = format!("{}.service", service.name);
        if self.zone.get(&own).is_some() {
            return;
        }
        let hosts = service.ready.iter().map(|instance| format!("{instance}.instance"));
        let hosts: Vec<String> = hosts.filter(|host| self.zone.get(host).is_some()).collect();
        // A service without ready instances exists all the same.
        self.zone.node(&own);
        for host in &hosts {
            let addresses = self.zone.get(host).map(|node| node.addresses.clone());
            self.zone.node(&own).addresses.extend(addresses.unwrap_or_default());
        }
        for port in &service.ports {
            let of_port = format!("_{}.{}.{own}", port.name, port.transmission.label());
            for name in [&of_port, &own] {
                let records = hosts.iter().map(|host| (port.number, host.as_str().into()));
                self.zone.node(name).ports.extend(records);
            }
        }
    }

    fn add_clients(&mut self, facts: &Facts) {
        let by_id = facts.clients.iter().map(|client| (client, Some(&client.id)));
        let by_claim = facts.clients.iter().map(|client| (client, client.claimed.as_ref()));
        // The ids of all come before what anybody claims.
        for (client, label) in by_id.chain(by_claim) {
            let Some(label) = label else { continue };
            let name = format!("{label}.client");
            if self.zone.get(&name).is_none() {
                self.zone.node(&name).addresses.clone_from(&client.addresses);
                // People like the name that they chose better than an id.
                let of_it = client.addresses.iter().copied();
                of_it.for_each(|address| self.rename_address(address, &name));
            }
        }
    }

    fn name_addresses(&mut self, addresses: &[Ipv6Addr], name: &str) {
        for address in addresses {
            self.names.entry(*address).or_insert_with(|| name.into());
        }
    }

    /// Gives an address of a client this name, unless an instance has it.
    fn rename_address(&mut self, address: Ipv6Addr, name: &str) {
        let known = self.names.get(&address);
        if known.is_none_or(|known| known.ends_with(".client")) {
            self.names.insert(address, name.into());
        }
    }

    /// What there is for a name.
    pub(crate) fn find(&self, name: &Name) -> Found<'_> {
        let all = [&self.origins.zone].into_iter().chain(&self.origins.aliases);
        for origin in all {
            if origin.zone_of(name) {
                let labels = usize::from(origin.num_labels());
                return self.find_in_zone(name, labels);
            }
        }
        match ReverseName::read(name) {
            Some(reverse) => self.find_address(&reverse),
            None => Found::NotOurs,
        }
    }

    fn find_in_zone(&self, name: &Name, origin: usize) -> Found<'_> {
        let own = usize::from(name.num_labels()).saturating_sub(origin);
        if own == 0 {
            return Found::Origin { origin };
        }
        match relative(name, own).and_then(|relative| self.zone.get(&relative)) {
            Some(node) => Found::Node { node, origin },
            None => Found::Nothing { origin },
        }
    }

    fn find_address(&self, name: &ReverseName) -> Found<'_> {
        let Some(zone) = self.origins.reverse.iter().find(|zone| zone.contains(name)) else {
            return Found::NotOurs;
        };
        let origin = zone.labels();
        if name.digits + 2 == origin {
            return Found::Origin { origin };
        }
        let mut below = self
            .names
            .range(name.first..=name.last())
            .filter(|(address, _)| zone.has(**address));
        match (name.address(), below.next()) {
            (_, None) => Found::Nothing { origin },
            (Some(_), Some((_, target))) => Found::Address {
                target: Some(target),
                origin,
            },
            (None, Some(_)) => Found::Address { target: None, origin },
        }
    }

    /// What a name of the zone has, without its origin.
    pub(crate) fn node(&self, relative: &str) -> Option<&Node> {
        self.zone.get(relative)
    }
}

/// The first labels of a name, as the zone has them; `None` if one is of another kind.
fn relative(name: &Name, labels: usize) -> Option<String> {
    let mut text = String::new();
    for label in name.iter().take(labels) {
        let label = std::str::from_utf8(label).ok().filter(|label| !label.contains('.'))?;
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(&label.to_ascii_lowercase());
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClientName, InstanceName, PortName, Transmission};

    fn origins() -> Origins {
        Origins {
            zone: name("home.arpa."),
            aliases: vec![name("consul.")],
            reverse: ReverseZone::new("fd39::/64".parse().unwrap()).into_iter().collect(),
            server: name("ns.home.arpa."),
            ttl: Duration::from_secs(5),
        }
    }

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn instance(name: &str, address: &str) -> InstanceName {
        InstanceName {
            name: name.parse().unwrap(),
            addresses: vec![address.parse().unwrap()],
            about: vec!["template=web".to_owned(), String::new(), "x".repeat(256)],
        }
    }

    fn client(id: &str, claimed: &str, address: &str) -> ClientName {
        ClientName {
            id: id.parse().unwrap(),
            claimed: claimed.parse().ok(),
            addresses: vec![address.parse().unwrap()],
        }
    }

    fn facts() -> Facts {
        Facts {
            services: vec![ServiceName {
                name: "web".parse().unwrap(),
                ports: vec![PortName {
                    name: "http".parse().unwrap(),
                    transmission: Transmission::Tcp,
                    number: 8080,
                }],
                ready: vec![
                    "web-0".parse().unwrap(),
                    "web-1".parse().unwrap(),
                    "web-9".parse().unwrap(),
                ],
            }],
            instances: vec![instance("web-0", "fd39::10"), instance("web-1", "fd39::11")],
            clients: vec![client("0a", "laptop", "fd39::1"), client("0b", "laptop", "fd39::2")],
        }
    }

    fn directory() -> Directory {
        Directory::new(origins(), 7, &facts())
    }

    fn addresses(directory: &Directory, asked: &str) -> Vec<String> {
        match directory.find(&name(asked)) {
            Found::Node { node, .. } => node.addresses.iter().map(ToString::to_string).collect(),
            other => panic!("{asked}: {other:?}"),
        }
    }

    fn target(directory: &Directory, address: &str) -> Option<String> {
        match directory.find(&Name::from(address.parse::<Ipv6Addr>().unwrap())) {
            Found::Address { target, .. } => target.map(str::to_owned),
            _ => None,
        }
    }

    #[test]
    fn a_service_has_the_addresses_and_ports_of_its_ready_instances_under_each_origin() {
        let directory = directory();
        for asked in ["web.service.home.arpa.", "WEB.service.consul."] {
            assert_eq!(addresses(&directory, asked), ["fd39::10", "fd39::11"]);
        }
        let Found::Node { node, .. } = directory.find(&name("_http._tcp.web.service.consul.")) else {
            panic!("it is there");
        };
        assert_eq!(
            node.ports,
            [(8080, "web-0.instance".into()), (8080, "web-1.instance".into())]
        );
        assert!(node.addresses.is_empty());
    }

    #[test]
    fn strings_that_fit_into_no_record_are_left_out() {
        let directory = directory();
        assert_eq!(directory.node("web-0.instance").unwrap().about, ["template=web"]);
    }

    #[test]
    fn a_service_without_ready_instances_exists_and_has_nothing() {
        let mut facts = facts();
        facts.instances.clear();
        let directory = Directory::new(origins(), 8, &facts);
        assert_eq!(addresses(&directory, "web.service.home.arpa."), [""; 0]);
    }

    #[test]
    fn the_first_client_has_the_name_that_two_claim_and_each_has_its_id() {
        let directory = directory();
        assert_eq!(addresses(&directory, "laptop.client.home.arpa."), ["fd39::1"]);
        assert_eq!(addresses(&directory, "0a.client.home.arpa."), ["fd39::1"]);
        assert_eq!(addresses(&directory, "0b.client.home.arpa."), ["fd39::2"]);
        assert_eq!(target(&directory, "fd39::1").as_deref(), Some("laptop.client"));
        assert_eq!(target(&directory, "fd39::2").as_deref(), Some("0b.client"));
    }

    #[test]
    fn a_client_that_claims_the_id_of_another_does_not_get_it() {
        let mut facts = facts();
        facts.clients = vec![client("0b", "0a", "fd39::2"), client("0a", "", "fd39::1")];
        let directory = Directory::new(origins(), 8, &facts);
        assert_eq!(addresses(&directory, "0a.client.home.arpa."), ["fd39::1"]);
    }

    #[test]
    fn a_client_that_holds_the_address_of_an_instance_does_not_name_it() {
        let mut facts = facts();
        facts.clients.push(client("0c", "evil", "fd39::10"));
        let directory = Directory::new(origins(), 8, &facts);
        assert_eq!(target(&directory, "fd39::10").as_deref(), Some("web-0.instance"));
    }

    #[test]
    fn the_rest_of_a_zone_is_empty_and_the_rest_of_the_world_is_not_ours() {
        let directory = directory();
        let found = |asked: &str| directory.find(&name(asked));
        assert_eq!(found("db.service.home.arpa."), Found::Nothing { origin: 2 });
        assert_eq!(found("db.service.consul."), Found::Nothing { origin: 1 });
        assert_eq!(found("a\\.b.service.consul."), Found::Nothing { origin: 1 });
        assert_eq!(found("home.arpa."), Found::Origin { origin: 2 });
        for other in [
            "example.org.",
            "arpa.",
            ".",
            "1.0.8.3.d.f.ip6.arpa.",
            "9.3.d.f.ip6.arpa.",
        ] {
            assert_eq!(found(other), Found::NotOurs, "{other}");
        }
        assert_eq!(target(&directory, "fd39::99"), None);
        assert_eq!(
            found("0.0.0.0.0.0.0.0.0.0.0.0.9.3.d.f.ip6.arpa."),
            Found::Origin { origin: 18 }
        );
        let between = found("0.0.0.0.0.0.0.0.0.0.0.0.0.9.3.d.f.ip6.arpa.");
        assert_eq!(
            between,
            Found::Address {
                target: None,
                origin: 18
            }
        );
    }
}
