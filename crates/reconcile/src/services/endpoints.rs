//! Where services are reached, as one snapshot after the other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use orchestrator_model::{
    Endpoint, EndpointState, Endpoints, Health, Instance, InstanceId, Phase, ServiceEndpoints, ServicePort,
    ServiceSlot, Slot, SlotState,
};
use orchestrator_service::ServiceSpec;
use tokio::sync::watch;

use super::clients::version_of;
use super::reading::Reading;

/// Sends snapshots, each with a higher number than the one before.
pub(super) struct Publisher {
    sender: watch::Sender<Arc<Endpoints>>,
    /// In which snapshot each slot began to be as it is shown.
    begun: Mutex<BTreeMap<String, BTreeMap<Slot, Begun>>>,
}

#[derive(Debug, Clone, Copy)]
struct Begun {
    instance: InstanceId,
    state: EndpointState,
    index: u64,
}

impl Publisher {
    pub(super) fn new(sender: watch::Sender<Arc<Endpoints>>, first: u64) -> Self {
        sender.send_if_modified(|current| {
            let first = current.index.max(first);
            *current = Arc::new(Endpoints {
                index: first,
                services: current.services.clone(),
            });
            true
        });
        Self {
            sender,
            begun: Mutex::default(),
        }
    }

    /// Shows a service like this from now on. Nothing is sent if it is shown so already.
    pub(super) fn put(&self, name: &str, mut new: ServiceEndpoints) {
        self.sender.send_if_modified(|current| {
            let shown = current.services.get(name);
            new.index = shown.map_or(0, |shown| shown.index);
            if shown.is_some_and(|shown| **shown == new) {
                return false;
            }
            let index = current.index + 1;
            new.index = index;
            self.begin(name, &new, index);
            let mut all = Endpoints::clone(current);
            all.index = index;
            all.services.insert(name.to_owned(), Arc::new(std::mem::take(&mut new)));
            *current = Arc::new(all);
            true
        });
    }

    /// How a service is shown now; as one that is not reached if it is not shown.
    pub(super) fn shown(&self, name: &str) -> ServiceEndpoints {
        let shown = self.sender.borrow().services.get(name).cloned();
        shown.map_or_else(ServiceEndpoints::default, Arc::unwrap_or_clone)
    }

    /// Shows a service no more.
    pub(super) fn remove(&self, name: &str) {
        self.sender.send_if_modified(|current| {
            if !current.services.contains_key(name) {
                return false;
            }
            let mut all = Endpoints::clone(current);
            all.index += 1;
            all.services.remove(name);
            *current = Arc::new(all);
            true
        });
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// The snapshot in which a slot began to be shown as it is, if its instance is shown in this state.
    pub(super) fn begun(&self, name: &str, slot: &Slot, state: EndpointState) -> Option<u64> {
        let all = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = all.get(name)?.get(slot)?;
        (begun.state == state).then_some(begun.index)
    }

    /// The snapshot in which a slot ceased to be shown; `None` while it is shown.
    pub(super) fn gone(&self, name: &str, slot: &Slot) -> Option<u64> {
        let current = self.sender.borrow();
        match current.services.get(name) {
            Some(service) => (!service.members.contains_key(slot)).then_some(service.index),
            None => Some(current.index),
        }
    }

    fn begin(&self, name: &str, new: &ServiceEndpoints, index: u64) {
        let mut all = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.remove(name).unwrap_or_default();
        let begun = new.members.iter().map(|(slot, member)| {
            let (instance, state) = (member.instance, member.state);
            let same = before
                .get(slot)
                .filter(|before| (before.instance, before.state) == (instance, state));
            let index = same.map_or(index, |same| same.index);
            (slot.clone(), Begun { instance, state, index })
        });
        let begun = begun.collect();
        all.insert(name.to_owned(), begun);
    }
}

/// How a service is reached, without its instances.
pub(super) fn reached_by(spec: &ServiceSpec) -> ServiceEndpoints {
    ServiceEndpoints {
        index: 0,
        ports: spec.ports.clone(),
        routes: spec.routes.clone(),
        listen: spec.listen.clone(),
        sticky: spec.sticky,
        proxy_protocol: spec.proxy_protocol,
        members: BTreeMap::new(),
    }
}

/// The instances of a service, each with the ports of its own version.
pub(super) fn members(reading: &Reading) -> BTreeMap<Slot, Endpoint> {
    let own = reading.specs.iter().filter_map(|(version, spec)| {
        let ports = spec.as_ref()?.ports.clone();
        Some((*version, Arc::new(ports)))
    });
    let ports: BTreeMap<u64, _> = own.collect();
    if reading.situation.service.instances.is_none() {
        return members_of_clients(reading, &ports);
    }
    let member = |slot: &ServiceSlot| {
        let instance = reading.instance_in(slot)?;
        let endpoint = Endpoint {
            instance: instance.id,
            version: slot.version,
            address: instance.address()?,
            network: instance.attachment()?.network.clone(),
            host: instance.host.clone()?,
            state: state_of(slot, instance)?,
            ports: ports.get(&slot.version).cloned().unwrap_or_default(),
        };
        Some((slot.slot(), endpoint))
    };
    reading.situation.slots.iter().filter_map(member).collect()
}

/// The instances of clients, each under the id of its client. One serves while it is ready.
fn members_of_clients(
    reading: &Reading,
    ports: &BTreeMap<u64, Arc<BTreeMap<String, ServicePort>>>,
) -> BTreeMap<Slot, Endpoint> {
    let member = |instance: &Instance| {
        let version = version_of(instance)?;
        let state = match instance.phase {
            Phase::Ready if instance.times.off.is_none() => EndpointState::Serving,
            Phase::Pending | Phase::Starting | Phase::Ready | Phase::Stopped => EndpointState::Starting,
            Phase::Ending => EndpointState::Draining,
            Phase::Removing | Phase::Removed => return None,
        };
        let endpoint = Endpoint {
            instance: instance.id,
            version,
            address: instance.address()?,
            network: instance.attachment()?.network.clone(),
            host: instance.host.clone()?,
            state,
            ports: ports.get(&version).cloned().unwrap_or_default(),
        };
        Some((Slot::new(instance.client()?.to_string()), endpoint))
    };
    reading.situation.instances.iter().filter_map(member).collect()
}

/// Whether an instance may be reached; `None` for one that is going.
fn state_of(slot: &ServiceSlot, instance: &Instance) -> Option<EndpointState> {
    let health = slot.health_of(instance.id);
    let is_ready = instance.phase == Phase::Ready && instance.times.off.is_none();
    match (slot.state, health) {
        (SlotState::Closed, _) => None,
        (SlotState::Draining, _) => Some(EndpointState::Draining),
        (SlotState::Wanted, Health::Passing) if is_ready => Some(EndpointState::Serving),
        (SlotState::Wanted, Health::Failing) => Some(EndpointState::Failing),
        (SlotState::Wanted, Health::Passing | Health::Unknown) => Some(EndpointState::Starting),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_share_the_services_that_did_not_change() {
        let (sender, receiver) = watch::channel(Arc::default());
        let publisher = Publisher::new(sender, 1);
        let now = || Arc::clone(&receiver.borrow());
        let sticky = |sticky| ServiceEndpoints {
            sticky,
            ..ServiceEndpoints::default()
        };
        for name in ["a", "b", "c"] {
            publisher.put(name, sticky(false));
        }
        let before: Arc<Endpoints> = now();
        publisher.put("b", sticky(true));
        publisher.remove("c");
        let after = now();
        assert!(Arc::ptr_eq(&before.services["a"], &after.services["a"]));
        let changes = after.changes_since(&before).map(|change| change.service);
        assert_eq!(changes.collect::<Vec<_>>(), ["b", "c"]);
        assert_eq!(after.services["b"].index, before.index + 1);
        publisher.put("a", sticky(false));
        assert_eq!(now().index, after.index, "it is shown so already");
    }
}
