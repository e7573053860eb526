//! The records that answer a query.

use std::net::Ipv6Addr;

use hickory_proto::op::Query;
use hickory_proto::rr::rdata::{AAAA, NS, PTR, SOA, SRV, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::names::{Directory, Found, SERVER, ServiceHost, ServiceNode, ServicePort};

/// For how long a name that does not exist may be taken for that, in seconds (RFC 2308).
const NEGATIVE: u32 = 1;
/// The most bytes of a string in a TXT record (RFC 1035, section 3.3.14).
const LONGEST_TEXT: usize = 255;

/// The records that answer a query.
pub(super) struct Filling<'d> {
    pub(super) directory: &'d Directory,
    pub(super) query: &'d Query,
    /// The number of labels of the zone's origin.
    pub(super) origin: usize,
    /// The balancers, if it is the name of a route.
    pub(super) front: &'d [Ipv6Addr],
}

impl Filling<'_> {
    /// The records of what was found, of the type that is asked for.
    pub(super) fn records(&self, found: Found<'_>) -> Vec<Record> {
        match found {
            Found::Nothing | Found::Above => Vec::new(),
            Found::Origin => self.of_origin(),
            Found::Service(service) => self.of_service(service),
            Found::Port { service, port } if self.wants(RecordType::SRV) => self.of_port(service, port),
            Found::Port { .. } => Vec::new(),
            Found::Host(host) => self.of_one(std::slice::from_ref(&host.address), &host.about),
            Found::Instance(instance) => self.of_one(instance.addresses.get(..1).unwrap_or_default(), &instance.about),
            Found::Addresses(addresses) => self.of_one(addresses, &[]),
            Found::Address(label, below) => self.of_address(&format!("{label}.{below}")),
            Found::AddressOfInstance(id) => self.of_address(&format!("{id}.instance")),
        }
    }

    /// The start of authority, which says for how long nothing needs to be asked again.
    pub(super) fn absent(&self) -> Record {
        self.soa(NEGATIVE)
    }

    /// The addresses of the hosts of SRV records, so that nobody must ask for them.
    pub(super) fn additional(&self, found: Found<'_>, records: &[Record]) -> Vec<Record> {
        let (Found::Service(service) | Found::Port { service, .. }) = found else {
            return Vec::new();
        };
        if !records.iter().any(|record| matches!(record.data, RData::SRV(_))) {
            return Vec::new();
        }
        service
            .hosts
            .iter()
            .take(records.len())
            .map(|host| Record::from_rdata(host.name.clone(), self.ttl(), RData::AAAA(AAAA(host.address))))
            .collect()
    }

    fn ttl(&self) -> u32 {
        u32::try_from(self.directory.origins.ttl.as_secs()).unwrap_or(u32::MAX)
    }

    /// Whether records of this type are asked for. A query for all types gets those of one type (RFC 8482).
    fn wants(&self, kind: RecordType) -> bool {
        [kind, RecordType::ANY].contains(&self.query.query_type())
    }

    fn record(&self, data: RData) -> Record {
        Record::from_rdata(self.query.name().clone(), self.ttl(), data)
    }

    fn soa(&self, ttl: u32) -> Record {
        let origin = self.query.name().trim_to(self.origin);
        let zone = &self.directory.origins.zone;
        let below = |label: &str| zone.prepend_label(label).unwrap_or_else(|_| zone.clone());
        let (server, mailbox) = (below(SERVER), below("hostmaster"));
        let soa = SOA::new(server, mailbox, self.directory.serial, 60, 10, 86_400, NEGATIVE);
        Record::from_rdata(origin, ttl, RData::SOA(soa))
    }

    fn of_origin(&self) -> Vec<Record> {
        if self.wants(RecordType::SOA) {
            return vec![self.soa(self.ttl())];
        }
        let zone = &self.directory.origins.zone;
        let server = zone.prepend_label(SERVER).ok().filter(|_| self.wants(RecordType::NS));
        server
            .map(|server| self.record(RData::NS(NS(server))))
            .into_iter()
            .collect()
    }

    fn of_service(&self, service: &ServiceNode) -> Vec<Record> {
        if self.wants(RecordType::AAAA) && !self.front.is_empty() {
            return self.addresses(self.front.iter().copied());
        }
        if self.wants(RecordType::AAAA) {
            return self.addresses(service.hosts.iter().map(|host| host.address));
        }
        if self.wants(RecordType::SRV) {
            let ports = service.ports.iter();
            return ports.flat_map(|port| self.of_port(service, port)).collect();
        }
        if self.wants(RecordType::TXT) {
            return self.text(&[format!("instances={}", service.hosts.len())]);
        }
        Vec::new()
    }

    fn of_one(&self, addresses: &[Ipv6Addr], about: &[String]) -> Vec<Record> {
        if self.wants(RecordType::AAAA) {
            return self.addresses(addresses.iter().copied());
        }
        match self.wants(RecordType::TXT) {
            true => self.text(about),
            false => Vec::new(),
        }
    }

    fn of_address(&self, relative: &str) -> Vec<Record> {
        let relative = Name::from_ascii(relative).ok().filter(|_| self.wants(RecordType::PTR));
        let name = relative.and_then(|relative| relative.append_domain(&self.directory.origins.zone).ok());
        name.map(|name| self.record(RData::PTR(PTR(name))))
            .into_iter()
            .collect()
    }

    fn addresses(&self, addresses: impl Iterator<Item = Ipv6Addr>) -> Vec<Record> {
        addresses
            .map(|address| self.record(RData::AAAA(AAAA(address))))
            .collect()
    }

    /// One record for each instance that has the port.
    fn of_port(&self, service: &ServiceNode, port: &ServicePort) -> Vec<Record> {
        let hosts = service.hosts.iter();
        hosts
            .filter_map(|host| Some(self.srv(host.number(port)?, host)))
            .collect()
    }

    fn srv(&self, port: u16, host: &ServiceHost) -> Record {
        self.record(RData::SRV(SRV::new(0, 1, port, host.name.clone())))
    }

    /// One TXT record. Strings that do not fit into one are left out.
    fn text(&self, about: &[String]) -> Vec<Record> {
        let fits = |text: &&String| (1..=LONGEST_TEXT).contains(&text.len());
        let about: Vec<String> = about.iter().filter(fits).cloned().collect();
        match about.is_empty() {
            true => Vec::new(),
            false => vec![self.record(RData::TXT(TXT::new(about)))],
        }
    }
}
