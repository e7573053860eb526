//! Which machine has a client's instances.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_model::{Lease, Leased, LinkLayerAddress, Timestamp};

/// What tells the machines apart that hold leases under one DUID, as far as it is known.
///
/// A DUID is only a claim. Whoever uses that of another client, with an identity association of its own, holds leases under
/// the same client. They give it addresses, and nothing of that client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    link_layer: Option<LinkLayerAddress>,
    /// The relay agent, and the machine's link-local address behind it.
    relayed: Option<(Ipv6Addr, Option<Ipv6Addr>)>,
}

impl Holder {
    /// The machine that holds a lease. `link_layer` is what is recorded of its client, for a lease that does not say it.
    pub fn of(lease: &Lease, link_layer: Option<&LinkLayerAddress>) -> Self {
        let place = &lease.granted_to;
        Self {
            // What is recorded of the client may be another machine's. Behind a relay agent, its peer address tells more.
            link_layer: match place.relay {
                None => place.link_layer.as_ref().or(link_layer).cloned(),
                Some(_) => place.link_layer.clone(),
            },
            relayed: place.relay.map(|agent| (agent, place.link_local)),
        }
    }

    /// The machine that has the client's instances on a link: the one that held the oldest of the client's leases, first of
    /// all those there. `None` without a lease.
    pub fn of_instances<'l>(
        leases: impl IntoIterator<Item = &'l Lease>,
        link: &str,
        link_layer: Option<&LinkLayerAddress>,
    ) -> Option<Self> {
        let oldest = leases.into_iter().min_by_key(|lease| seniority(lease, link))?;
        Some(Self::of(oldest, link_layer))
    }
}

/// The place of a lease among those of its client, for an instance on a link: the least is the oldest, first of all there.
pub(crate) fn seniority(lease: &Lease, link: &str) -> (bool, Timestamp, Ipv6Net) {
    (lease.link != link, lease.granted, prefix_of(lease))
}

/// The address or prefix of a lease, as a prefix.
pub(crate) fn prefix_of(lease: &Lease) -> Ipv6Net {
    match lease.leased {
        Leased::Address(address) => address.into(),
        Leased::Prefix(prefix) => prefix,
    }
}
