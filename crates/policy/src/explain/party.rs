//! Those who speak with one another.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use orchestrator_model::{Instance, Owner};

use crate::OwnerFacts;

/// A client or an instance, with what is recorded of its owner.
#[derive(Debug, Clone, Copy)]
pub enum Party<'f> {
    /// A client.
    Client(&'f OwnerFacts),
    /// An instance.
    Instance(&'f OwnerFacts, &'f Instance),
}

/// Somebody that a party may want to reach.
#[derive(Debug, Clone, Copy)]
pub enum Target<'f> {
    /// A client or an instance.
    Party(Party<'f>),
    /// An address that neither a client nor an instance has.
    Address(Ipv6Addr),
}

impl<'f> Party<'f> {
    /// What is recorded of its owner.
    pub const fn facts(self) -> &'f OwnerFacts {
        match self {
            Self::Client(facts) | Self::Instance(facts, _) => facts,
        }
    }

    /// The names of the links that it is on, in their order.
    pub fn links(self) -> Vec<String> {
        let names: BTreeSet<&String> = match self {
            Self::Client(facts) => facts.leases.iter().map(|lease| &lease.link).collect(),
            Self::Instance(_, instance) => instance.attachments.iter().map(|one| &one.network).collect(),
        };
        names.into_iter().cloned().collect()
    }

    /// What it is called.
    pub fn name(self) -> String {
        match self {
            Self::Client(facts) => facts.owner.to_string(),
            Self::Instance(_, instance) => name_of(instance),
        }
    }

    /// Whether both belong to the same owner.
    pub(super) fn is_of(self, owner: &Owner) -> bool {
        self.facts().owner == *owner
    }
}

/// What an instance is called.
pub(super) fn name_of(instance: &Instance) -> String {
    format!("instance {} ({})", instance.id, instance.slot)
}
