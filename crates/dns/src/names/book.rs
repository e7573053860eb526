//! The names that services, instances and clients have, as they change.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::Ipv6Addr;
use std::sync::Arc;

use orchestrator_model::{
    BALANCER_SERVICE, ClientId, Endpoints, EndpointsChange, Id, InstanceId, Route, ServiceEndpoints, Timestamp,
};

use super::directory::{ClientNode, Holder};
use super::{ClientName, Directory, InstanceName, Label, Origins, ServiceNode};

/// The names of services, instances and clients as they change. A [`Directory`] is taken from it when changes are to be
/// seen.
///
/// Of several clients that claim one name, the earliest has it; when that one leaves, the next. The id of a client is its
/// name in any case, and nobody can claim a name that looks like an id.
#[derive(Debug)]
pub struct Book {
    directory: Directory,
    /// The snapshot of endpoints whose services have names.
    endpoints: Arc<Endpoints>,
    clients: HashMap<ClientId, ClientName>,
    /// Who claims each name, the earliest first.
    claims: HashMap<Label, BTreeSet<(Timestamp, ClientId)>>,
    /// Instances of other owners than clients.
    instances: HashMap<InstanceId, InstanceName>,
    has_changed: bool,
}

impl Book {
    /// A book without names.
    pub fn new(origins: Origins) -> Self {
        Self {
            directory: Directory::empty(origins),
            endpoints: Arc::default(),
            clients: HashMap::new(),
            claims: HashMap::new(),
            instances: HashMap::new(),
            has_changed: true,
        }
    }

    /// Whether anything has changed since this was last asked.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.has_changed)
    }

    /// The number of services, of instances and of names of clients.
    pub fn sizes(&self) -> [usize; 3] {
        self.directory.sizes()
    }

    /// The names as they are now. `serial` is larger than that of the one before.
    pub fn directory(&self, serial: u32) -> Directory {
        Directory {
            serial,
            ..self.directory.clone()
        }
    }

    /// The zones.
    pub fn origins(&self) -> &Origins {
        &self.directory.origins
    }

    /// Puts the same names into other zones.
    pub fn set_origins(&mut self, origins: Origins) {
        self.has_changed = true;
        self.directory.origins = Arc::new(origins);
        // The names of hosts are whole names.
        let endpoints = self.endpoints.clone();
        for (name, service) in &endpoints.services {
            self.set_service(name, Some(service));
        }
    }

    /// The clients of whom something is known.
    pub fn clients(&self) -> HashSet<ClientId> {
        self.clients.keys().copied().collect()
    }

    /// The instances of others that are known.
    pub fn instances(&self) -> HashSet<InstanceId> {
        self.instances.keys().copied().collect()
    }

    /// Takes over the endpoints of services: those that changed since the snapshot before are named anew.
    pub fn set_endpoints(&mut self, endpoints: &Arc<Endpoints>) {
        let before = std::mem::replace(&mut self.endpoints, endpoints.clone());
        for change in endpoints.changes_since(&before) {
            self.set_service(change.service, change.now);
            self.set_fronts(&change);
        }
    }

    /// Names a service like this from now on; one that is gone no more. A name that DNS cannot have is none.
    fn set_service(&mut self, name: &str, endpoints: Option<&Arc<ServiceEndpoints>>) {
        let Ok(name) = name.parse::<Label>() else { return };
        let zone = &self.directory.origins.zone;
        let node = endpoints.map(|endpoints| Arc::new(ServiceNode::new(&name, endpoints, zone)));
        let before = self.directory.services.get(&name).cloned();
        if before == node {
            return;
        }
        self.has_changed = true;
        self.directory.services.set(name, node.clone());
        for host in before.iter().flat_map(|node| &node.hosts) {
            self.release(host.address, &Holder::Service(host.label.clone()));
        }
        for host in node.iter().flat_map(|node| &node.hosts) {
            self.hold(host.address, Holder::Service(host.label.clone()));
        }
    }

    /// Takes over the routes of a service, and its addresses if it is the balancers.
    fn set_fronts(&mut self, change: &EndpointsChange<'_>) {
        let (before, now) = (routes(change.before), routes(change.now));
        if before != now {
            self.has_changed = true;
            Arc::make_mut(&mut self.directory.fronts).set_routes(before, now);
        }
        if change.service == BALANCER_SERVICE {
            let serving = change.now.into_iter().flat_map(|service| service.serving());
            let balancers: Vec<Ipv6Addr> = serving.map(|(_, balancer)| balancer.address).collect();
            if self.directory.fronts.balancers() != balancers {
                self.has_changed = true;
                Arc::make_mut(&mut self.directory.fronts).set_balancers(balancers);
            }
        }
    }

    /// Records what an instance of another owner than a client is; `None` where it is not ready.
    pub fn set_instance(&mut self, id: InstanceId, instance: Option<InstanceName>) {
        let before = match &instance {
            Some(instance) => self.instances.insert(id, instance.clone()),
            None => self.instances.remove(&id),
        };
        if before != instance {
            self.has_changed = true;
            self.name_instances(before.as_ref(), instance.as_ref());
        }
    }

    /// Records what a client holds; `None` where it holds nothing. One that was known and claims another name than before
    /// claims it since `now`, so that nobody takes the name of a client that came later.
    pub fn set_client(&mut self, id: ClientId, client: Option<ClientName>, now: Timestamp) {
        let known = self.clients.get(&id);
        let client = client.map(|client| {
            // A name that looks like an id is somebody's own.
            let claimed = client.claimed.filter(|claimed| !is_id(claimed));
            let since = match known {
                Some(known) if known.claimed == claimed => known.since,
                Some(_) => client.since.max(now),
                None => client.since,
            };
            ClientName {
                claimed,
                since,
                ..client
            }
        });
        let before = match &client {
            Some(client) => self.clients.insert(id, client.clone()),
            None => self.clients.remove(&id),
        };
        if before == client {
            return;
        }
        self.has_changed = true;
        // The ids of all clients can be labels.
        let Ok(own) = id.to_string().parse::<Label>() else {
            return;
        };
        self.name_instances(
            before.iter().flat_map(|client| &client.instances),
            client.iter().flat_map(|client| &client.instances),
        );
        for (client, is_now) in [(&before, false), (&client, true)] {
            let Some(client) = client else { continue };
            let holder = Holder::Client(own.clone(), client.claimed.clone());
            for address in &client.addresses {
                match is_now {
                    true => self.hold(*address, holder.clone()),
                    false => self.release(*address, &holder),
                }
            }
            let Some(claimed) = &client.claimed else { continue };
            let claims = self.claims.entry(claimed.clone()).or_default();
            match is_now {
                true => claims.insert((client.since, id)),
                false => claims.remove(&(client.since, id)),
            };
        }
        self.directory.clients.set(own, client.as_ref().map(node_of));
        let claimed = |client: &Option<ClientName>| client.as_ref().and_then(|client| client.claimed.clone());
        for name in [claimed(&before), claimed(&client)].into_iter().flatten() {
            self.settle(name);
        }
    }

    /// Gives a claimed name to the earliest of its claimants.
    fn settle(&mut self, name: Label) {
        let claims = self.claims.get(&name);
        let first = claims.and_then(|claims| claims.first());
        let winner = first.and_then(|(_, id)| self.clients.get(id)).map(node_of);
        if winner.is_none() {
            self.claims.remove(&name);
        }
        self.directory.clients.set(name, winner);
    }

    fn name_instances<'n>(
        &mut self,
        before: impl IntoIterator<Item = &'n InstanceName>,
        now: impl IntoIterator<Item = &'n InstanceName>,
    ) {
        for (instance, is_now) in before
            .into_iter()
            .map(|instance| (instance, false))
            .chain(now.into_iter().map(|instance| (instance, true)))
        {
            let Ok(label) = instance.id.to_string().parse() else {
                continue;
            };
            let holder = Holder::Instance(instance.id);
            for address in &instance.addresses {
                match is_now {
                    true => self.hold(*address, holder.clone()),
                    false => self.release(*address, &holder),
                }
            }
            self.directory
                .instances
                .set(label, is_now.then(|| Arc::new(instance.clone())));
        }
    }

    fn hold(&mut self, address: Ipv6Addr, holder: Holder) {
        let mut holders = self.directory.holders.get(&address).cloned().unwrap_or_default();
        if let Err(place) = holders.binary_search(&holder) {
            holders.insert(place, holder);
            self.directory.holders.set(address, Some(holders));
        }
    }

    fn release(&mut self, address: Ipv6Addr, holder: &Holder) {
        let Some(mut holders) = self.directory.holders.get(&address).cloned() else {
            return;
        };
        holders.retain(|other| other != holder);
        self.directory
            .holders
            .set(address, Some(holders).filter(|holders| !holders.is_empty()));
    }
}

fn routes(service: Option<&Arc<ServiceEndpoints>>) -> &[Route] {
    service.map_or(&[], |service| &service.routes)
}

/// Whether a label is written as an id is.
fn is_id(label: &Label) -> bool {
    label.as_str().parse::<Id>().is_ok()
}

fn node_of(client: &ClientName) -> Arc<ClientNode> {
    Arc::new(ClientNode {
        addresses: client.addresses.clone(),
        instances: client.instances.clone(),
    })
}

#[cfg(test)]
mod tests;
