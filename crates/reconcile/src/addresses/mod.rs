//! Which addresses of a network are taken, and which one a slot gets.
//!
//! What is taken is in SQL, and the unique index there has the last word. This is a copy in memory, so that choosing an
//! address takes the same few steps however many are taken:
//!
//! ```text
//!   (not known) ── begin, read SQL, finish ──▶ known ── reserve ──▶ reserved ── keep ──▶ taken
//!        ▲                                       │                     │ dropped            │
//!        └───────────── forget ──────────────────┘◀────────────────────┴──── give_back ◀────┘
//! ```
//!
//! - A network is read once, when its first address is chosen. Changes that are made while it is read are not lost.
//! - When SQL says that a reserved address is taken after all, or when nobody knows what became of a write, the network
//!   is [forgotten](Addresses::forget) and read again. Until then it keeps nobody from an address for good.
//! - Links and other networks are the same here.

mod place;
mod runs;

use std::collections::{HashMap, HashSet};
use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::Ipv6Net;
use orchestrator_model::SlotKey;

use self::runs::Runs;

/// The taken addresses of all networks. A cheap handle: all clones share the same ones.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    networks: Arc<Mutex<HashMap<String, Network>>>,
}

/// The addresses of one network.
#[derive(Debug, Default)]
struct Network {
    /// The taken addresses; `None` until they were read.
    taken: Option<Runs>,
    /// Changes since the first of the readings that are under way began, oldest first: `true` for taken.
    changes: Vec<(Ipv6Addr, bool)>,
    /// Readings that are under way.
    readings: usize,
    /// Addresses that are reserved, and neither kept nor dropped yet.
    reserved: HashSet<Ipv6Addr>,
    /// How often the network was forgotten.
    forgotten: u64,
}

impl Network {
    fn change(&mut self, address: Ipv6Addr, is_taken: bool) {
        if let Some(taken) = &mut self.taken {
            match is_taken {
                true => taken.insert(address),
                false => taken.remove(address),
            };
        }
        if self.readings > 0 {
            self.changes.push((address, is_taken));
        }
    }

    fn forget(&mut self) {
        self.taken = None;
        self.forgotten += 1;
    }

    fn end_reading(&mut self) {
        self.readings -= 1;
        if self.readings == 0 {
            self.changes.clear();
        }
    }
}

/// The addresses of a network are being read.
#[derive(Debug)]
pub struct Reading {
    addresses: Addresses,
    network: String,
    /// Changes that were made before it began.
    since: usize,
    forgotten: u64,
}

/// An address that nobody else is given. It is free again when this is dropped, unless it was [kept](Self::keep).
#[derive(Debug)]
pub struct Reserved {
    addresses: Addresses,
    network: String,
    address: Ipv6Addr,
    /// How often the network had been forgotten when it was reserved.
    forgotten: u64,
    kept: bool,
}

impl Addresses {
    /// Begins to read what is taken of a network; `None` when that is known. Read it after this was called, and hand it to
    /// [`Reading::finish`].
    pub fn begin(&self, network: &str) -> Option<Reading> {
        let mut networks = self.lock();
        let known = networks.entry(network.to_owned()).or_default();
        if known.taken.is_some() {
            return None;
        }
        known.readings += 1;
        Some(Reading {
            addresses: self.clone(),
            network: network.to_owned(),
            since: known.changes.len(),
            forgotten: known.forgotten,
        })
    }

    /// Reserves an address of `range` for a slot: `before` if it is free, or else the first free one after a place that
    /// the slot's key chooses, which is always the same. None of `others` is given.
    ///
    /// `None` when the range is full, or the network is not known ([`begin`](Self::begin)).
    pub fn reserve(
        &self,
        network: &str,
        range: Ipv6Net,
        key: &SlotKey,
        before: Option<Ipv6Addr>,
        others: &HashSet<Ipv6Addr>,
    ) -> Option<Reserved> {
        let mut networks = self.lock();
        let known = networks.get_mut(network)?;
        let address = place::choose(range, key, before, others, known.taken.as_ref()?)?;
        Some(self.take(network, known, address))
    }

    /// Reserves this address; `None` when it is taken, or the network is not known.
    pub fn reserve_this(&self, network: &str, address: Ipv6Addr) -> Option<Reserved> {
        let mut networks = self.lock();
        let known = networks.get_mut(network)?;
        if known.taken.as_ref()?.contains(address) {
            return None;
        }
        Some(self.take(network, known, address))
    }

    /// An address that was taken is free: its instance was removed.
    pub fn give_back(&self, network: &str, address: Ipv6Addr) {
        if let Some(known) = self.lock().get_mut(network) {
            known.change(address, false);
        }
    }

    /// Marks what is known of a network as possibly wrong. The network is read again before the next address is chosen.
    pub fn forget(&self, network: &str) {
        if let Some(known) = self.lock().get_mut(network) {
            known.forget();
        }
    }

    fn take(&self, network: &str, known: &mut Network, address: Ipv6Addr) -> Reserved {
        known.change(address, true);
        known.reserved.insert(address);
        Reserved {
            addresses: self.clone(),
            network: network.to_owned(),
            address,
            forgotten: known.forgotten,
            kept: false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Network>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    /// These addresses are taken, as they were read. Changes since the reading began are laid over them.
    pub fn finish(self, taken: impl IntoIterator<Item = Ipv6Addr>) {
        let mut runs: Runs = taken.into_iter().collect();
        let mut networks = self.addresses.lock();
        let Some(known) = networks.get_mut(&self.network) else {
            return;
        };
        // Another reading may have been faster; and what was read before the network was forgotten does not count.
        if known.taken.is_none() && known.forgotten == self.forgotten {
            for (address, is_taken) in known.changes.iter().skip(self.since) {
                match is_taken {
                    true => runs.insert(*address),
                    false => runs.remove(*address),
                };
            }
            for address in &known.reserved {
                runs.insert(*address);
            }
            known.taken = Some(runs);
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(known) = self.addresses.lock().get_mut(&self.network) {
            known.end_reading();
        }
    }
}

impl Reserved {
    /// The address.
    pub const fn address(&self) -> Ipv6Addr {
        self.address
    }

    /// It is recorded as taken: it stays so until it is [given back](Addresses::give_back).
    pub fn keep(mut self) {
        self.kept = true;
        if let Some(known) = self.addresses.lock().get_mut(&self.network) {
            known.reserved.remove(&self.address);
            known.change(self.address, true);
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        if let Some(known) = self.addresses.lock().get_mut(&self.network) {
            known.reserved.remove(&self.address);
            match known.forgotten == self.forgotten {
                true => known.change(self.address, false),
                // The network was forgotten since, perhaps because of this very address: SQL knows whether it is taken.
                false => known.forget(),
            }
        }
    }
}

#[cfg(test)]
mod tests;
