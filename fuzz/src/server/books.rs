//! What the clients believe to have, from what they were told: books that the server knows nothing of.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_dhcp6::{Change, Duid, Leased, Verb};
use orchestrator_wire as wire;

use crate::answer::as_prefix;
use crate::lease::Lease;

/// How many of the last leases that were told of a script can name.
const SEEN: usize = 24;

/// What the clients believe.
#[derive(Default)]
pub(super) struct Books {
    /// By address or prefix: who believes to have it, and until when.
    held: BTreeMap<Ipv6Net, Belief>,
    seen: VecDeque<(Ipv6Addr, u8)>,
    clients: BTreeSet<Duid>,
}

/// Who believes to have something, and until when.
#[derive(Debug, Clone)]
pub(super) struct Belief {
    pub(super) client: Vec<u8>,
    /// Which of the client's associations, and where it asked from.
    pub(super) iaid: u32,
    pub(super) asked_from: Ipv6Addr,
    /// Milliseconds since 1970; [`i64::MAX`] is never.
    pub(super) until: i64,
}

/// Who asks, from where, and for which associations: their type and IAID.
pub(super) struct Asker<'a> {
    pub(super) client: &'a [u8],
    pub(super) address: Ipv6Addr,
    pub(super) named: Vec<(u16, u32)>,
}

impl Books {
    /// One of the last leases that anyone was told of.
    pub(super) fn seen(&self, number: u8) -> Option<(Ipv6Addr, u8)> {
        self.seen.get(usize::from(number) % self.seen.len().max(1)).copied()
    }

    /// Everyone who ever had anything.
    pub(super) fn clients(&self) -> impl Iterator<Item = &Duid> {
        self.clients.iter()
    }

    /// What is believed.
    pub(super) fn held(&self) -> impl Iterator<Item = (&Ipv6Net, &Belief)> {
        self.held.iter()
    }

    /// What has ended by itself is believed no more.
    pub(super) fn forget_ended(&mut self, now: i64) {
        self.held.retain(|_, belief| belief.until > now);
    }

    /// Notes what was recorded: who gives back or refuses something has it no more.
    pub(super) fn note_change(&mut self, change: &Change) {
        self.clients.insert(change.after.duid.clone());
        if matches!(change.verb, Verb::Release | Verb::Decline) {
            let leased = as_net(change.after.leased);
            let owner = self.held.get(&leased).map(|belief| belief.client.as_slice());
            if owner == Some(change.after.duid.as_bytes()) {
                self.held.remove(&leased);
            }
        }
    }

    /// Notes what a client was told. Nobody may be told of what another believes to have, nor another association of the
    /// same client: it goes from one to another only where the message comes from where the lease was asked for and does
    /// not name the one that has it.
    pub(super) fn note_told(&mut self, kind: u8, asker: &Asker<'_>, leases: &[Lease], now: i64) {
        let client = asker.client;
        for lease in leases {
            self.seen.push_front((lease.address, lease.length));
            self.seen.truncate(SEEN);
            let leased = as_prefix(lease.address, lease.length);
            if lease.valid == 0 && self.held.get(&leased).is_some_and(|belief| belief.client == client) {
                self.held.remove(&leased);
            }
        }
        for lease in leases.iter().filter(|lease| kind == wire::REPLY && lease.valid > 0) {
            self.note_lease(asker, lease, now);
        }
    }

    fn note_lease(&mut self, asker: &Asker<'_>, lease: &Lease, now: i64) {
        let client = asker.client;
        let leased = as_prefix(lease.address, lease.length);
        for (other, belief) in &self.held {
            let overlaps = other.contains(&leased) || leased.contains(other);
            let is_same = *other == leased && belief.client == client;
            assert!(
                !overlaps || is_same,
                "{leased} is given away while {other} is held: {belief:?}"
            );
            assert!(
                !is_same
                    || belief.iaid == lease.iaid
                    || (belief.asked_from == asker.address && !asker.named.contains(&(lease.code, belief.iaid))),
                "{leased} goes to the association {} while another one has it: {belief:?}",
                lease.iaid
            );
        }
        let until = match lease.valid {
            u32::MAX => i64::MAX,
            valid => now + i64::from(valid) * 1000,
        };
        let belief = Belief {
            client: client.to_vec(),
            iaid: lease.iaid,
            asked_from: asker.address,
            until,
        };
        self.held.insert(leased, belief);
    }
}

/// An address or prefix as a prefix.
pub(super) fn as_net(leased: Leased) -> Ipv6Net {
    match leased {
        Leased::Address(address) => as_prefix(address, 128),
        Leased::Prefix(prefix) => prefix,
    }
}
