//! Endpoints: where the services are reached. DNS, balancers, the packet filter and the API are made from one snapshot.

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
    /// The services, by name: also those without an endpoint.
    pub services: BTreeMap<String, ServiceEndpoints>,
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
