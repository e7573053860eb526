//! From the endpoints of services to what the balancer is to do.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddrV6;

use orchestrator_model::{EndpointState, Endpoints, Route, ServiceEndpoints, Transport};

use crate::desired::{Backend, Certificate, Desired, Server, Target, Use};
use crate::name::{Challenge, HostName, MapKey, NameFault, PathPrefix, Pem, ServerName};
use crate::pools::Pools;

/// What is needed besides the endpoints.
#[derive(Debug, Clone, Default)]
pub struct Material {
    /// The certificates, by the name of the route that they are for.
    pub certificates: BTreeMap<HostName, Pem>,
    /// Challenges of ACME that are to be answered.
    pub challenges: BTreeSet<Challenge>,
}

/// A route that cannot be had, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The service.
    pub service: String,
    /// The name and the path of the route.
    pub route: String,
    /// Why not, and what to do.
    pub reason: String,
}

/// What the balancer is to do, and what it cannot do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// What it is to do.
    pub desired: Desired,
    /// The routes that cannot be had. The others are not affected.
    pub refused: Vec<Refused>,
}

/// Plans what the balancer is to do. Of two services with the same name and path, the one whose name comes first in the
/// alphabet has it. `pools` is what the plan before this one has left.
pub fn plan(endpoints: &Endpoints, material: &Material, pools: Pools) -> Plan {
    let members = endpoints.services.values().flat_map(|service| service.members.values());
    let mut planner = Planner {
        material,
        pools,
        desired: Desired {
            index: endpoints.index,
            challenges: material.challenges.clone(),
            instances: members.map(|member| member.instance).collect(),
            ..Desired::default()
        },
        refused: Vec::new(),
        owners: BTreeMap::new(),
    };
    planner.pools.keep(|service, port, sticky| {
        let found = endpoints.services.get(service);
        found.is_some_and(|found| found.sticky == sticky && found.routes.iter().any(|route| route.port == port))
    });
    for (name, service) in &endpoints.services {
        for route in &service.routes {
            if let Err(reason) = planner.add(name, service, route) {
                planner.refused.push(Refused {
                    service: name.clone(),
                    route: format!("{}{}", route.host, route.path),
                    reason,
                });
            }
        }
    }
    planner.desired.pools = planner.pools;
    Plan {
        desired: planner.desired,
        refused: planner.refused,
    }
}

struct Planner<'p> {
    material: &'p Material,
    pools: Pools,
    desired: Desired,
    refused: Vec<Refused>,
    /// The service that has a key, of either map.
    owners: BTreeMap<MapKey, String>,
}

impl Planner<'_> {
    fn add(&mut self, name: &str, service: &ServiceEndpoints, route: &Route) -> Result<(), String> {
        let words = |fault: NameFault| fault.to_string();
        let host: HostName = route.host.parse().map_err(words)?;
        let path: PathPrefix = route.path.parse().map_err(words)?;
        let port = service.ports.get(&route.port);
        let port = port.ok_or_else(|| format!("the service has no port {:?}: name one of its ports", route.port))?;
        if port.transport != Transport::Tcp {
            return Err(format!("port {:?} is not TCP: HTTP needs a TCP port", route.port));
        }
        let key = MapKey::new(&host, &path);
        if let Some(other) = self.owners.get(&key) {
            return Err(format!("service {other} has it already: choose another name or path"));
        }
        self.owners.insert(key.clone(), name.to_owned());
        let backend = self.pools.of(name, &route.port, service.sticky);
        let servers = servers(service, &route.port);
        self.desired.backends.insert(backend, Backend { servers });
        match &route.tls {
            None => drop(self.desired.plain.insert(key, Target::Backend(backend))),
            Some(_) => {
                self.desired.plain.insert(key.clone(), Target::Redirect);
                self.desired.encrypted.insert(key, Target::Backend(backend));
                self.show_certificate(host);
            }
        }
        Ok(())
    }

    /// Without a certificate yet, the name is there, and TLS fails until one is had.
    fn show_certificate(&mut self, host: HostName) {
        let Some(pem) = self.material.certificates.get(&host) else {
            return;
        };
        let certificate = self.desired.certificates.entry(pem.name().clone());
        let certificate = certificate.or_insert_with(|| Certificate {
            pem: pem.clone(),
            hosts: BTreeSet::new(),
        });
        certificate.hosts.insert(host);
    }
}

/// The servers of a port of a service. What does not serve is drained: connections that it has go on. An instance of a
/// version without the port is none.
fn servers(service: &ServiceEndpoints, port: &str) -> BTreeMap<ServerName, Server> {
    let each = service.members.values().filter_map(|member| {
        let port = member.ports.get(port).filter(|port| port.transport == Transport::Tcp)?;
        let name = ServerName {
            instance: member.instance,
            proxy: service.proxy_protocol,
        };
        let state = match member.state {
            EndpointState::Serving => Use::Serve,
            EndpointState::Starting | EndpointState::Failing | EndpointState::Draining => Use::Drain,
        };
        let address = SocketAddrV6::new(member.address, port.number, 0, 0);
        Some((name, Server { address, state }))
    });
    each.collect()
}
