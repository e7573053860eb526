//! Endpoints: where the services are reached. DNS, balancers, the packet filter and the API are made from one snapshot.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{HostId, InstanceId, Slot, Transport};

/// The name of the service whose instances are balancers.
pub const BALANCER_SERVICE: &str = "balancer";

/// All endpoints of all services, as they are at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// The number of this snapshot. It grows with each change, also over restarts of the daemon.
    pub index: u64,
    /// The services, by name: also those without an endpoint. Snapshots share the services that did not change between them.
    pub services: BTreeMap<String, Arc<ServiceEndpoints>>,
}

impl Endpoints {
    /// The services that differ from those of an earlier snapshot, by name: each as it was and as it is, `None` where it is
    /// not there. Services that both snapshots share are not compared.
    pub fn changes_since<'a>(&'a self, earlier: &'a Self) -> impl Iterator<Item = EndpointsChange<'a>> {
        let (mut before, mut now) = (earlier.services.iter().peekable(), self.services.iter().peekable());
        let pairs = std::iter::from_fn(move || {
            let order = match (before.peek(), now.peek()) {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some((before, _)), Some((now, _))) => before.cmp(now),
            };
            let before = if order.is_le() { before.next() } else { None };
            let now = if order.is_ge() { now.next() } else { None };
            let (name, _) = now.or(before)?;
            Some(EndpointsChange {
                service: name,
                before: before.map(|(_, service)| service),
                now: now.map(|(_, service)| service),
            })
        });
        pairs.filter(EndpointsChange::is_one)
    }
}

/// A service in two snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointsChange<'a> {
    /// The name of the service.
    pub service: &'a str,
    /// The service in the earlier snapshot.
    pub before: Option<&'a Arc<ServiceEndpoints>>,
    /// The service in the later snapshot.
    pub now: Option<&'a Arc<ServiceEndpoints>>,
}

impl EndpointsChange<'_> {
    fn is_one(&self) -> bool {
        match (self.before, self.now) {
            (Some(before), Some(now)) => !Arc::ptr_eq(before, now) && before != now,
            _ => true,
        }
    }
}

/// The endpoints of one service, and how it is reached through names and balancers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceEndpoints {
    /// The number of the snapshot in which this service last changed.
    pub index: u64,
    /// Its ports, by name: those of the version that its instances are to have.
    pub ports: BTreeMap<String, ServicePort>,
    /// The names and paths under which HTTP reaches it.
    pub routes: Vec<Route>,
    /// The virtual addresses on which connections reach it.
    pub listen: Vec<Listen>,
    /// Whether a client's connections go to the same instance while that serves.
    pub sticky: bool,
    /// Whether connections of balancers begin with the header of the PROXY protocol, version 2.
    pub proxy_protocol: bool,
    /// The instances, by slot.
    pub members: BTreeMap<Slot, Endpoint>,
}

impl ServiceEndpoints {
    /// The instances that new connections and names may lead to.
    pub fn serving(&self) -> impl Iterator<Item = (&Slot, &Endpoint)> {
        let serves = |(_, member): &(&Slot, &Endpoint)| member.state == EndpointState::Serving;
        self.members.iter().filter(serves)
    }
}

/// One instance of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The instance.
    pub instance: InstanceId,
    /// The version of the service that it was made from.
    pub version: u64,
    /// The address on which it serves.
    pub address: Ipv6Addr,
    /// The link or network of that address.
    pub network: String,
    /// The machine that it runs on.
    pub host: HostId,
    /// Whether it may be reached.
    pub state: EndpointState,
    /// Its ports, by name: those of its version. During a roll, others of the service may have other ones.
    pub ports: Arc<BTreeMap<String, ServicePort>>,
}

/// Whether an instance of a service may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointState {
    /// No check of it has succeeded yet, or it is not ready. Nothing leads to it.
    Starting,
    /// It is ready, and its checks succeed.
    Serving,
    /// Its checks fail. Nothing leads to it.
    Failing,
    /// It is to end. Connections that exist go on, and no new one leads to it.
    Draining,
}

/// A port of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServicePort {
    /// Its number, 1 to 65535.
    pub number: u16,
    /// Its transport.
    pub transport: Transport,
}

/// A name and a path under which HTTP reaches a service through the balancers.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Route {
    /// The host name, in small letters; `*.example` is any one label before `.example`.
    pub host: String,
    /// How the path begins. It begins with a slash.
    pub path: String,
    /// The name of the port.
    pub port: String,
    /// How it is encrypted; `None` for plain HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<RouteTls>,
}

/// Where the certificate of a route comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RouteTls {
    /// The site's own certificate authority issues it.
    OwnCa,
    /// A certificate authority issues it by ACME (RFC 8555).
    Acme,
    /// Files on the daemon's machine: the chain and the key.
    Files {
        /// The path of the certificate chain, in PEM.
        certificate: String,
        /// The path of the private key, in PEM.
        key: String,
    },
}

/// A virtual address and port on which connections reach a service, without a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Listen {
    /// The virtual address.
    pub address: Ipv6Addr,
    /// The port that clients connect to.
    pub number: u16,
    /// The name of the service's port.
    pub port: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_changes_are_the_services_that_came_went_or_are_other_ones() {
        let service = |index| {
            Arc::new(ServiceEndpoints {
                index,
                ..ServiceEndpoints::default()
            })
        };
        let snapshot = |services: &[(&str, &Arc<ServiceEndpoints>)]| Endpoints {
            index: 1,
            services: services
                .iter()
                .map(|(name, service)| ((*name).to_owned(), (*service).clone()))
                .collect(),
        };
        let (shared, one, equal, other) = (service(1), service(2), service(2), service(3));
        let earlier = snapshot(&[("b", &one), ("d", &shared), ("e", &one), ("f", &one)]);
        let later = snapshot(&[("a", &one), ("c", &one), ("d", &shared), ("e", &equal), ("f", &other)]);
        let changes = |later: &Endpoints, earlier: &Endpoints| -> Vec<(String, Option<u64>, Option<u64>)> {
            let changes = later.changes_since(earlier);
            let index = |service: Option<&Arc<ServiceEndpoints>>| service.map(|service| service.index);
            changes
                .map(|change| (change.service.to_owned(), index(change.before), index(change.now)))
                .collect()
        };
        let named = |name: &str, before, now| (name.to_owned(), before, now);
        assert_eq!(
            changes(&later, &earlier),
            [
                named("a", None, Some(2)),
                named("b", Some(2), None),
                named("c", None, Some(2)),
                named("f", Some(2), Some(3)),
            ]
        );
        assert_eq!(changes(&later, &later), []);
        assert_eq!(changes(&Endpoints::default(), &earlier).len(), 4);
        assert_eq!(changes(&later, &Endpoints::default()).len(), 5);
    }
}
