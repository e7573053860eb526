//! What the clients believe to have, from what they were told: books that the server knows nothing of.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_dhcp6::{Change, Duid, Leased, Verb};

use crate::answer::as_prefix;
use crate::wire::{self, Told};

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
    /// Milliseconds since 1970; [`i64::MAX`] is never.
    pub(super) until: i64,
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

    /// Notes what a client was told. Nobody may be told of what another believes to have.
    pub(super) fn note_told(&mut self, kind: u8, client: &[u8], leases: &[Told], now: i64) {
        for lease in leases {
            self.seen.push_front((lease.address, lease.length));
            self.seen.truncate(SEEN);
            let leased = as_prefix(lease.address, lease.length);
            if lease.valid == 0 && self.held.get(&leased).is_some_and(|belief| belief.client == client) {
                self.held.remove(&leased);
            }
        }
        for lease in leases.iter().filter(|lease| kind == wire::REPLY && lease.valid > 0) {
            self.note_lease(client, lease, now);
        }
    }

    fn note_lease(&mut self, client: &[u8], lease: &Told, now: i64) {
        let leased = as_prefix(lease.address, lease.length);
        for (other, belief) in &self.held {
            let overlaps = other.contains(&leased) || leased.contains(other);
            let is_same = *other == leased && belief.client == client;
            assert!(
                !overlaps || is_same,
                "{leased} is given away while {other} is held: {belief:?}"
            );
        }
        let until = match lease.valid {
            u32::MAX => i64::MAX,
            valid => now + i64::from(valid) * 1000,
        };
        let client = client.to_vec();
        self.held.insert(leased, Belief { client, until });
    }
}

/// An address or prefix as a prefix.
pub(super) fn as_net(leased: Leased) -> Ipv6Net {
    match leased {
        Leased::Address(address) => as_prefix(address, 128),
        Leased::Prefix(prefix) => prefix,
    }
}
