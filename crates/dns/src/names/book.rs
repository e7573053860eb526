//! The names that services, instances and clients have, as they change.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::Ipv6Addr;
use std::sync::Arc;

use orchestrator_model::{ClientId, Endpoints, Id, InstanceId, ServiceEndpoints, Timestamp};

use super::directory::{ClientNode, Holder};
use super::fronts::Fronts;
use super::{ClientName, Directory, InstanceName, Label, Origins, ServiceNode};

/// The names of services, instances and clients as they change. A [`Directory`] is taken from it when changes are to be
/// seen.
///
/// Of several clients that claim one name, the earliest has it; when that one leaves, the next. The id of a client is its
/// name in any case, and nobody can claim a name that looks like an id.
#[derive(Debug)]
pub struct Book {
    directory: Directory,
    services: HashMap<Label, Arc<ServiceEndpoints>>,
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
            services: HashMap::new(),
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
        let services = std::mem::take(&mut self.services);
        self.directory.services = Arc::default();
        for (name, endpoints) in services {
            self.set_service(name, Some(endpoints));
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

    /// Takes over the endpoints of services: those that changed are named anew.
    pub fn set_endpoints(&mut self, endpoints: &Endpoints) {
        let named = |name: &String| name.parse::<Label>().ok();
        let wanted: HashMap<Label, &ServiceEndpoints> = endpoints
            .services
            .iter()
            .filter_map(|(name, service)| Some((named(name)?, service)))
            .collect();
        let gone: Vec<Label> = self
            .services
            .keys()
            .filter(|name| !wanted.contains_key(*name))
            .cloned()
            .collect();
        for name in gone {
            self.set_service(name, None);
        }
        for (name, service) in wanted {
            if self.services.get(&name).is_none_or(|known| **known != *service) {
                self.set_service(name, Some(Arc::new(service.clone())));
            }
        }
        let fronts = Fronts::new(endpoints);
        if fronts != *self.directory.fronts {
            self.has_changed = true;
            self.directory.fronts = Arc::new(fronts);
        }
    }

    fn set_service(&mut self, name: Label, endpoints: Option<Arc<ServiceEndpoints>>) {
        self.has_changed = true;
        let node = endpoints
            .as_ref()
            .map(|endpoints| Arc::new(ServiceNode::new(&name, endpoints, &self.directory.origins.zone)));
        let services = Arc::make_mut(&mut self.directory.services);
        let before = match &node {
            Some(node) => services.insert(name.clone(), node.clone()),
            None => services.remove(&name),
        };
        for host in before.iter().flat_map(|node| &node.hosts) {
            self.release(host.address, &Holder::Service(host.label.clone()));
        }
        for host in node.iter().flat_map(|node| &node.hosts) {
            self.hold(host.address, Holder::Service(host.label.clone()));
        }
        match endpoints {
            Some(endpoints) => drop(self.services.insert(name, endpoints)),
            None => drop(self.services.remove(&name)),
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
