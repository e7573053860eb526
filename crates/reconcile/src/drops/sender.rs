//! Those whose packets are dropped.

use std::net::Ipv6Addr;

use orchestrator_host::PolicyItem;
use orchestrator_model::{Instance, InstanceId, Owner};
use orchestrator_policy::{Links, OwnerFacts, derive};

/// A sender, as the packet filter knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Sender {
    /// The link-layer address of a client that is bound.
    Client([u8; 6]),
    /// A port. Ports of instances concern somebody.
    Port(String),
    /// The address of an instance whose packets the host routes.
    Routed(Ipv6Addr),
}

/// Whom a sender is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found<'f> {
    pub(super) owner: &'f Owner,
    pub(super) instance: Option<&'f Instance>,
    pub(super) link: String,
}

impl Found<'_> {
    pub(super) fn instance_id(&self) -> Option<InstanceId> {
        self.instance.map(|instance| instance.id)
    }
}

/// Finds senders among all owners. Those that are nobody's are left out: a port that many clients share.
pub(super) fn find<'f>(senders: &[Sender], all: &'f [OwnerFacts], links: &Links) -> Vec<(Sender, Found<'f>)> {
    let mut found = Vec::new();
    for facts in all {
        for sender in senders {
            found.extend(is(sender, facts, links).map(|one| (sender.clone(), one)));
        }
    }
    found
}

fn is<'f>(sender: &Sender, facts: &'f OwnerFacts, links: &Links) -> Option<Found<'f>> {
    let found = |instance: Option<&'f Instance>, link: &str| Found {
        owner: &facts.owner,
        instance,
        link: link.to_owned(),
    };
    match sender {
        Sender::Client(mac) => {
            // Cheap before exact: most owners have another address.
            let may_be =
                facts.leases.iter().any(|lease| lease.granted_to.link_layer.is_some()) || facts.link_layer.is_some();
            let entries = if may_be { derive(facts, links) } else { Vec::new() };
            entries.iter().find_map(|entry| match &entry.item {
                PolicyItem::Client(client) if client.mac == *mac => Some(found(None, &client.bridge)),
                _ => None,
            })
        }
        Sender::Port(port) => facts.instances.iter().find_map(|instance| {
            let own = instance.attachments.iter().find(|one| one.host_end() == *port)?;
            Some(found(Some(instance), &own.network))
        }),
        Sender::Routed(address) => facts.instances.iter().find_map(|instance| {
            let own = instance.attachments.iter().find(|one| one.address == Some(*address))?;
            Some(found(Some(instance), &own.network))
        }),
    }
}
