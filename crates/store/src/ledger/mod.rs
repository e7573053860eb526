//! The rows of a group of lease changes: as they were found, and as the changes leave them.
//!
//! A group is read, decided and written as a whole, by a few statements, however many changes it has. Each change sees
//! the effects of earlier ones of its group.

mod names;
mod read;
mod write;

use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::sync::Arc;

use names::Names;

use super::StoreError;
use super::rows::ManyRows;
use super::rules::Known;
use super::text::plain;
use orchestrator_model::{ClientId, Duid, GrantedTo, Iaid, LeaseChange, LeaseSource, LeaseState, Leased, Timestamp};

/// Every statement over many rows that a group takes.
pub(super) fn many() -> impl Iterator<Item = &'static ManyRows> {
    read::MANY.into_iter().chain(write::MANY)
}

/// A client of a group. Its place in [`Ledger::clients`] stands for it.
struct ClientEntry {
    id: ClientId,
    link: Arc<str>,
    duid: Duid,
    link_layer: Option<String>,
    hostname: Option<String>,
    class: Option<String>,
    wants_instance: bool,
    first_seen: Timestamp,
    seen: Timestamp,
    touched: Touched,
}

/// A lease of a group.
struct LeaseEntry {
    client: usize,
    iaid: Iaid,
    source: LeaseSource,
    state: LeaseState,
    next_hop: Option<Ipv6Addr>,
    granted_to: GrantedTo,
    preferred_until: Timestamp,
    valid_until: Timestamp,
    granted: Timestamp,
    changed: Timestamp,
    touched: Touched,
}

/// How much of a row is written. A greater value writes more columns and indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Touched {
    Nothing,
    /// A lease that goes on for at least as long as it did.
    Extended,
    /// A lease that ended, or that goes on for less.
    Cut,
    /// All of a row that is there.
    Everything,
    /// A row that was not there.
    New,
}

impl LeaseEntry {
    /// When the clock is to be asked about it; only these states end by the clock.
    fn due(&self) -> Option<i64> {
        let ends = matches!(self.state, LeaseState::Active | LeaseState::Declined);
        ends.then_some(self.valid_until.0)
    }
}

type LeaseKey = (Arc<str>, Leased);

/// The rows of one group of changes.
#[derive(Default)]
pub(super) struct Ledger {
    clients: Vec<ClientEntry>,
    by_duid: HashMap<(Arc<str>, Duid), usize>,
    leases: HashMap<LeaseKey, LeaseEntry>,
    /// The ids of clients that were never seen.
    names: Names,
    /// The names of the group's links, each once.
    links: Vec<Arc<str>>,
}

impl Ledger {
    /// The recorded lease of a change, and whether its client wants an instance.
    pub(super) fn known(&mut self, change: &LeaseChange) -> Option<(Known, bool)> {
        let key = self.key(change);
        let lease = self.leases.get(&key)?;
        let client = &self.clients[lease.client];
        let known = Known {
            client: client.id,
            duid: client.duid.clone(),
            iaid: lease.iaid,
            state: lease.state,
            valid_until: lease.valid_until,
            changed: lease.changed,
        };
        Some((known, client.wants_instance))
    }

    /// A change's client holds the lease from now on.
    pub(super) fn grant(&mut self, change: &LeaseChange) -> Result<ClientId, StoreError> {
        let client = self.see(change)?;
        let key = self.key(change);
        let touched = match self.leases.get(&key) {
            Some(known) => known.touched.max(Touched::Everything),
            None => Touched::New,
        };
        let lease = LeaseEntry {
            client,
            iaid: change.iaid,
            source: change.source,
            state: LeaseState::Active,
            next_hop: change.next_hop,
            granted_to: change.granted_to.clone(),
            preferred_until: change.preferred_until,
            valid_until: change.valid_until,
            granted: change.at,
            changed: change.at,
            touched,
        };
        self.leases.insert(key, lease);
        Ok(self.clients[client].id)
    }

    /// A change's client goes on holding its lease.
    pub(super) fn extend(&mut self, change: &LeaseChange) -> Result<ClientId, StoreError> {
        let client = self.see(change)?;
        let key = self.key(change);
        if let Some(lease) = self.leases.get_mut(&key) {
            let touched = if change.valid_until < lease.valid_until {
                Touched::Cut
            } else {
                Touched::Extended
            };
            lease.iaid = change.iaid;
            lease.source = change.source;
            lease.next_hop = change.next_hop;
            lease.granted_to = change.granted_to.clone();
            lease.preferred_until = change.preferred_until;
            lease.valid_until = change.valid_until;
            lease.changed = change.at;
            lease.touched = lease.touched.max(touched);
        }
        Ok(self.clients[client].id)
    }

    /// The lease ends in this state; a declined one keeps the end of its quarantine.
    pub(super) fn end(&mut self, change: &LeaseChange, state: LeaseState) {
        let key = self.key(change);
        if let Some(lease) = self.leases.get_mut(&key) {
            lease.state = state;
            lease.changed = change.at;
            lease.touched = lease.touched.max(Touched::Cut);
            if state == LeaseState::Declined {
                lease.valid_until = change.valid_until;
            }
        }
    }

    /// Remembers how a client showed itself, and has it want an instance.
    fn see(&mut self, change: &LeaseChange) -> Result<usize, StoreError> {
        let key = (self.link(&change.link), change.duid.clone());
        let index = match self.by_duid.get(&key) {
            Some(index) => *index,
            None => self.meet(key, change.at)?,
        };
        let client = &mut self.clients[index];
        client.seen = client.seen.max(change.at);
        let link_layer = change.link_layer.as_ref().map(ToString::to_string);
        let hostname = change.hostname.clone().map(plain);
        let class = change.class.clone().map(plain);
        let is_news = (link_layer.is_some() && link_layer != client.link_layer)
            || (hostname.is_some() && hostname != client.hostname)
            || class != client.class
            || !client.wants_instance;
        // The lease shows when the client was last seen. No row is written for that alone.
        if is_news {
            client.link_layer = link_layer.or(client.link_layer.take());
            client.hostname = hostname.or(client.hostname.take());
            client.class = class;
            client.wants_instance = true;
            client.touched = client.touched.max(Touched::Everything);
        }
        Ok(index)
    }

    /// Makes the row of a client that was never seen.
    fn meet(&mut self, key: (Arc<str>, Duid), at: Timestamp) -> Result<usize, StoreError> {
        let id = self.names.next()?;
        let index = self.clients.len();
        self.clients.push(ClientEntry {
            id,
            link: key.0.clone(),
            duid: key.1.clone(),
            link_layer: None,
            hostname: None,
            class: None,
            wants_instance: false,
            first_seen: at,
            seen: at,
            touched: Touched::New,
        });
        self.by_duid.insert(key, index);
        Ok(index)
    }

    fn key(&mut self, change: &LeaseChange) -> LeaseKey {
        (self.link(&change.link), change.leased)
    }

    /// The one copy of a link's name. A group has few links.
    fn link(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.links.iter().find(|known| &***known == name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        self.links.push(name.clone());
        name
    }
}
