//! Ways that the platform itself needs: from the balancers to the instances of services.
//!
//! The port of a service is open to the clients of its link by the instance's own specification. Instances do not reach
//! one another. A balancer is an instance, too, and has to reach the ports that services are reached on.

use orchestrator_host::{Endpoint, PolicyItem};
use orchestrator_model::{BALANCER_SERVICE, InstanceId, Owner, Transport};

use crate::instance::attached;
use crate::ports::traffic;
use crate::{Entry, Links, OwnerFacts, Why};

/// An instance of a balancer on a link whose packets are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Balancer {
    pub(crate) id: InstanceId,
    endpoint: Endpoint,
}

/// Whether the instances of an owner are balancers.
pub(crate) fn is_balancer(owner: &Owner) -> bool {
    matches!(owner, Owner::Service(name) if name == BALANCER_SERVICE)
}

/// Whether balancers lead to the instances of an owner.
pub(crate) fn is_led_to(owner: &Owner) -> bool {
    matches!(owner, Owner::Service(_)) && !is_balancer(owner)
}

/// The balancers among the instances of an owner.
pub(crate) fn balancers(facts: &OwnerFacts, links: &Links) -> Vec<Balancer> {
    if !is_balancer(&facts.owner) {
        return Vec::new();
    }
    let attached = facts.instances.iter().flat_map(|one| attached(one, links));
    let balancer = |one: crate::instance::Attached<'_>| {
        Some(Balancer {
            id: one.instance.id,
            endpoint: one.endpoint()?,
        })
    };
    attached.filter_map(balancer).collect()
}

/// The ways from these balancers to the open TCP ports of a service's instances. They are claimed for the service.
pub(crate) fn ways(facts: &OwnerFacts, links: &Links, balancers: &[Balancer]) -> Vec<Entry> {
    if balancers.is_empty() || !is_led_to(&facts.owner) {
        return Vec::new();
    }
    let mut entries = Vec::new();
    for one in facts.instances.iter().flat_map(|one| attached(one, links)) {
        let Some(to) = one.endpoint() else { continue };
        let open = one.instance.spec.access.open.iter();
        for ports in open.filter(|ports| ports.transport() == Transport::Tcp) {
            entries.extend(balancers.iter().map(|balancer| {
                let item = PolicyItem::Peer {
                    from: balancer.endpoint.clone(),
                    to: to.clone(),
                    traffic: traffic(ports),
                };
                one.entry(item, Why::Balancer { id: balancer.id })
            }));
        }
    }
    entries
}
