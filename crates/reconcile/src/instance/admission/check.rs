//! Whether a claim may be granted now: no limit is reached, and its engine has a turn.

use super::Admission;
use super::block::{Block, Refusal, Resource};
use super::budget::{Budget, Lack};
use super::claim::{Claim, Port, Size};
use super::limits::{HostLimits, Limits};
use super::tally::Sum;

/// An engine makes a limited number of instances at the same time. At most this part of them is for clients behind one port,
/// in thousandths.
const TURNS_OF_PORT: u32 = 500;

/// Refuses a claim that could never be granted.
///
/// # Errors
///
/// Why not.
pub(super) fn possible(claim: &Claim, limits: &Limits) -> Result<(), Refusal> {
    if claim.share.is_of_instance() {
        return Err(Refusal::FromInstance);
    }
    let alone = Sum {
        instances: 1,
        size: claim.size,
    };
    for (resource, asked, limit) in parts(alone, limits.host(&claim.host)) {
        if limit.is_some_and(|limit| asked > limit) {
            return Err(Refusal::TooLarge {
                host: claim.host.clone(),
                resource,
            });
        }
    }
    Ok(())
}

/// Whether so much is more than a host may promise.
pub(super) fn exceeds(sum: Sum, limits: HostLimits) -> bool {
    let parts = parts(sum, limits).into_iter();
    parts
        .filter_map(|(_, used, limit)| Some(used > limit?))
        .any(|is_over| is_over)
}

/// What a host promises, each with its limit.
fn parts(sum: Sum, limits: HostLimits) -> [(Resource, u64, Option<u64>); 5] {
    let Size {
        memory,
        millicpus,
        pids,
        disk,
    } = sum.size;
    [
        (Resource::Instances, sum.instances, limits.instances),
        (Resource::Memory, memory, limits.memory),
        (Resource::Processors, millicpus, limits.millicpus),
        (Resource::Pids, pids, limits.pids),
        (Resource::Disk, disk, limits.disk),
    ]
}

impl Admission {
    /// Whether a claim may be granted now.
    ///
    /// # Errors
    ///
    /// What it waits for.
    pub(super) fn check(&self, claim: &Claim, limits: &Limits) -> Result<(), Block> {
        if let Some(scope) = limits.pause(&claim.share.link, &claim.template) {
            return Err(Block::Paused(scope.clone()));
        }
        self.check_instances(claim, limits)?;
        self.check_host(claim, limits)?;
        self.check_rates(claim, limits)?;
        self.check_turn(claim, limits)
    }

    /// The engine makes only so many at the same time, and does not make all of them for one port.
    fn check_turn(&self, claim: &Claim, limits: &Limits) -> Result<(), Block> {
        let making = self.engines.get(&super::engine_of(claim)).copied().unwrap_or(0);
        let of_port = self.ports.get(&super::port_of(claim)).copied().unwrap_or(0);
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let budget = Budget {
            limit: Some(number(limits.making)),
            used: number(making),
            port: number(of_port),
            address: 0,
            is_shared: false,
            add: 1,
            share: limits.share.min(TURNS_OF_PORT),
        };
        budget.check().map_err(|_| Block::Turn)
    }

    /// Live instances of link, template, client and port.
    fn check_instances(&self, claim: &Claim, limits: &Limits) -> Result<(), Block> {
        let (link, usage) = (&claim.share.link, &self.usage);
        let of_link = limits.link(link);
        let full = |used: Sum, limit: Option<u64>| limit.filter(|limit| used.instances >= *limit);
        if let Some(limit) = full(usage.links.of(link), of_link.instances) {
            let link = link.clone();
            return Err(Block::Link { link, limit });
        }
        let template = &claim.template;
        if let Some(limit) = full(usage.templates.of(template), limits.templates.get(template).copied()) {
            let template = template.clone();
            return Err(Block::Template { template, limit });
        }
        let of_client = of_link.client_instances.or(limits.client_instances);
        if claim.owner.client().is_some()
            && let Some(limit) = full(usage.owners.of(&claim.owner), of_client)
        {
            return Err(Block::Client { limit });
        }
        match (
            &claim.share.port,
            full(usage.ports.of(&Port::of(&claim.share)), of_link.port_instances),
        ) {
            (Some(port), Some(limit)) => {
                let port = port.clone();
                Err(Block::Port { port, limit })
            }
            _ => Ok(()),
        }
    }

    /// What the host has promised, in all and to the clients behind the port.
    fn check_host(&self, claim: &Claim, limits: &Limits) -> Result<(), Block> {
        let of_host = limits.host(&claim.host);
        let used = parts(self.usage.hosts.of(&claim.host), of_host);
        let (port, address, is_shared) = self.usage.of_share(claim);
        let (port, address) = (parts(port, of_host), parts(address, of_host));
        let asked = Sum {
            instances: 1,
            size: claim.size,
        };
        for (index, (resource, add, limit)) in parts(asked, of_host).into_iter().enumerate() {
            let budget = Budget {
                limit,
                used: used[index].1,
                port: port[index].1,
                address: address[index].1,
                is_shared,
                add,
                share: limits.share,
            };
            budget.check().map_err(|lack| Block::Host {
                host: claim.host.clone(),
                resource,
                lack,
            })?;
        }
        Ok(())
    }

    /// New instances in the last minute, of the client and of the link.
    fn check_rates(&self, claim: &Claim, limits: &Limits) -> Result<(), Block> {
        let rate = |of: &str, limit, lack| Block::Rate {
            of: of.to_owned(),
            limit,
            lack,
            until: self.recent.next(),
        };
        let own = self.recent.owners.of(&claim.owner).instances;
        if let Some(limit) = limits.client_creations.filter(|limit| own >= *limit)
            && claim.owner.client().is_some()
        {
            return Err(rate("this client", limit, Lack::Whole));
        }
        let link = &claim.share.link;
        let Some(limit) = limits.link(link).creations else {
            return Ok(());
        };
        let (port, address, is_shared) = self.recent.of_share(&claim.share);
        let budget = Budget {
            limit: Some(limit),
            used: self.recent.links.of(link).instances,
            port,
            address,
            is_shared,
            add: 1,
            share: limits.share,
        };
        budget
            .check()
            .map_err(|lack| rate(&format!("link {link}"), limit, lack))
    }
}
