//! The instances that were made in the last minute.

use std::collections::VecDeque;
use std::time::Duration;

use orchestrator_model::{Owner, Share, Timestamp};

use super::claim::{Claim, Port, Size};
use super::tally::Tally;

/// The time over which new instances are counted.
pub(super) const WINDOW: Duration = Duration::from_secs(60);

/// The instances that were made within [`WINDOW`].
#[derive(Debug, Clone, Default)]
pub(super) struct Recent {
    all: VecDeque<(Timestamp, Owner, Share)>,
    pub(super) owners: Tally<Owner>,
    pub(super) links: Tally<String>,
    pub(super) ports: Tally<Port>,
    pub(super) shares: Tally<Share>,
    addresses: Tally<Port>,
}

impl Recent {
    /// An instance is going to be made. It counts until it is recorded or withdrawn, and for a minute after it is recorded.
    pub(super) fn reserve(&mut self, claim: &Claim) {
        let share = &claim.share;
        self.owners.add(claim.owner.clone(), Size::default());
        self.links.add(share.link.clone(), Size::default());
        self.ports.add(Port::of(share), Size::default());
        if self.shares.add(share.clone(), Size::default()) {
            self.addresses.add(Port::of(share), Size::default());
        }
    }

    /// A reserved instance is recorded at this time. Call it in the order of time.
    pub(super) fn record(&mut self, at: Timestamp, claim: &Claim) {
        self.all.push_back((at, claim.owner.clone(), claim.share.clone()));
    }

    /// A reserved instance is not made after all.
    pub(super) fn withdraw(&mut self, claim: &Claim) {
        self.forget(&claim.owner, &claim.share);
    }

    /// Forgets what is too old. Returns whether there was something.
    pub(super) fn expire(&mut self, now: Timestamp) -> bool {
        let mut any = false;
        while self.next().is_some_and(|until| until <= now) {
            if let Some((_, owner, share)) = self.all.pop_front() {
                self.forget(&owner, &share);
            }
            any = true;
        }
        any
    }

    /// When the next one is too old.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.all.front().map(|(at, ..)| at.plus(WINDOW))
    }

    fn forget(&mut self, owner: &Owner, share: &Share) {
        self.owners.take(owner, Size::default());
        self.links.take(&share.link, Size::default());
        let port = Port::of(share);
        self.ports.take(&port, Size::default());
        if self.shares.take(share, Size::default()) {
            self.addresses.take(&port, Size::default());
        }
    }

    /// How many were made for the port of a share, for its link-layer address, and whether another address behind the port
    /// had any.
    pub(super) fn of_share(&self, share: &Share) -> (u64, u64, bool) {
        let port = Port::of(share);
        let own = self.shares.of(share).instances;
        let addresses = self.addresses.of(&port).instances;
        (self.ports.of(&port).instances, own, addresses > u64::from(own > 0))
    }
}
