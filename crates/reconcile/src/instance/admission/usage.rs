//! What live instances use, and those that are about to be made: by host, link, template, owner and share.

use orchestrator_model::{HostId, Owner, Share};

use super::claim::{Claim, Port, Size};
use super::tally::{Sum, Tally};

/// What is used.
#[derive(Debug, Clone, Default)]
pub(super) struct Usage {
    pub(super) hosts: Tally<HostId>,
    pub(super) ports_of_hosts: Tally<(HostId, Port)>,
    pub(super) shares_of_hosts: Tally<(HostId, Share)>,
    /// How many link-layer addresses have instances behind a port.
    addresses: Tally<(HostId, Port)>,
    pub(super) links: Tally<String>,
    pub(super) ports: Tally<Port>,
    pub(super) templates: Tally<String>,
    pub(super) owners: Tally<Owner>,
}

impl Usage {
    pub(super) fn add(&mut self, claim: &Claim) {
        let (size, port) = (claim.size, Port::of(&claim.share));
        self.hosts.add(claim.host.clone(), size);
        self.ports_of_hosts.add((claim.host.clone(), port.clone()), size);
        if self
            .shares_of_hosts
            .add((claim.host.clone(), claim.share.clone()), size)
        {
            self.addresses.add((claim.host.clone(), port.clone()), Size::default());
        }
        self.links.add(claim.share.link.clone(), size);
        self.ports.add(port, size);
        self.templates.add(claim.template.clone(), size);
        self.owners.add(claim.owner.clone(), size);
    }

    pub(super) fn take(&mut self, claim: &Claim) {
        let (size, port) = (claim.size, Port::of(&claim.share));
        self.hosts.take(&claim.host, size);
        let of_host = (claim.host.clone(), port);
        self.ports_of_hosts.take(&of_host, size);
        if self
            .shares_of_hosts
            .take(&(claim.host.clone(), claim.share.clone()), size)
        {
            self.addresses.take(&of_host, Size::default());
        }
        self.links.take(&claim.share.link, size);
        self.ports.take(&of_host.1, size);
        self.templates.take(&claim.template, size);
        self.owners.take(&claim.owner, size);
    }

    /// What the port of a claim uses on its host, what its link-layer address does, and whether another address behind the
    /// port uses something.
    pub(super) fn of_share(&self, claim: &Claim) -> (Sum, Sum, bool) {
        let of_host = (claim.host.clone(), Port::of(&claim.share));
        let (port, addresses) = (self.ports_of_hosts.of(&of_host), self.addresses.of(&of_host).instances);
        let own = self.shares_of_hosts.of(&(of_host.0, claim.share.clone()));
        (port, own, addresses > u64::from(own.instances > 0))
    }
}
