//! The names of one service.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use hickory_proto::rr::Name;
use orchestrator_model::{Endpoint, ServiceEndpoints, Slot, Transport};

use super::Label;

/// A service, with its instances that serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceNode {
    pub(crate) ports: Vec<ServicePort>,
    pub(crate) hosts: Vec<ServiceHost>,
}

/// A port of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServicePort {
    /// Its name, without the underscore.
    pub(crate) name: Label,
    pub(crate) transport: Transport,
    pub(crate) number: u16,
}

/// An instance that serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceHost {
    /// Its name below `instance`.
    pub(crate) label: Label,
    /// Its whole name.
    pub(crate) name: Name,
    pub(crate) address: Ipv6Addr,
    /// Its own ports: those of its version.
    pub(crate) ports: Vec<ServicePort>,
    pub(crate) about: Vec<String>,
}

impl ServiceHost {
    /// The number that it has for a port of the service; `None` if its version has no such port.
    pub(crate) fn number(&self, port: &ServicePort) -> Option<u16> {
        let is_it = |own: &&ServicePort| own.name == port.name && own.transport == port.transport;
        self.ports.iter().find(is_it).map(|own| own.number)
    }
}

impl ServiceNode {
    /// The names of a service. Ports whose names cannot be part of a name are left out.
    pub(super) fn new(service: &Label, endpoints: &ServiceEndpoints, zone: &Name) -> Self {
        let hosts = endpoints.serving();
        Self {
            ports: named(&endpoints.ports),
            hosts: hosts
                .filter_map(|(slot, endpoint)| host(service, slot, endpoint, zone))
                .collect(),
        }
    }
}

/// The ports whose names can be part of a name.
fn named(ports: &BTreeMap<String, orchestrator_model::ServicePort>) -> Vec<ServicePort> {
    let named = ports.iter().filter_map(|(name, port)| {
        Some(ServicePort {
            name: name.parse().ok()?,
            transport: port.transport,
            number: port.number,
        })
    });
    named.collect()
}

fn host(service: &Label, slot: &Slot, endpoint: &Endpoint, zone: &Name) -> Option<ServiceHost> {
    // The slots of a service have numbers. One of a client has a name of its own, and its instance goes by its id.
    let is_number = slot.as_str().bytes().all(|byte| byte.is_ascii_digit());
    let numbered = || format!("{service}-{slot}").parse().ok();
    let label: Label = match is_number.then(numbered).flatten() {
        Some(label) => label,
        None => endpoint.instance.to_string().parse().ok()?,
    };
    let relative = Name::from_ascii(format!("{label}.instance")).ok()?;
    Some(ServiceHost {
        name: relative.append_domain(zone).ok()?,
        label,
        address: endpoint.address,
        ports: named(&endpoint.ports),
        about: vec![
            format!("service={service}"),
            format!("slot={slot}"),
            format!("version={}", endpoint.version),
            format!("instance={}", endpoint.instance),
            format!("network={}", endpoint.network),
        ],
    })
}
