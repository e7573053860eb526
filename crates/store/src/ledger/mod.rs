//! The rows of a group of lease changes: as they were read, and as the changes leave them.
//!
//! A group is read, decided and written as a whole by a few statements, however many changes it has. Each change sees
//! the effects of earlier changes in its group.

mod names;
mod place;
mod read;
mod touched;
mod write;

use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::sync::Arc;

use names::Names;
use place::Place;
use touched::Touched;

use super::StoreError;
use super::rows::ManyRows;
use super::rules::Known;
use super::text::plain;
use orchestrator_model::{ClientId, Duid, GrantedTo, Iaid, LeaseChange, LeaseSource, LeaseState, Leased, Timestamp};

/// Every statement over many rows that a group needs.
pub(super) fn many() -> impl Iterator<Item = &'static ManyRows> {
    read::MANY.into_iter().chain(write::MANY)
}

/// A client of a group. Its index in [`Ledger::clients`] identifies it.
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
    /// What is recorded as `granted_to`.
    recorded: Place,
    preferred_until: Timestamp,
    valid_until: Timestamp,
    granted: Timestamp,
    changed: Timestamp,
    touched: Touched,
}

impl LeaseEntry {
    /// When to check whether it has ended; `None` for states that do not end by the clock.
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
    /// The ids of new clients.
    names: Names,
    /// The names of the group's links, each once.
    links: Vec<Arc<str>>,
}

/// What is new about a client that continues to hold its lease.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct News {
    /// It is at another place, as far as is known.
    pub(super) moved: bool,
    /// It calls itself otherwise.
    pub(super) renamed: bool,
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

    /// The change's client holds the lease from now on.
    pub(super) fn grant(&mut self, change: &LeaseChange) -> Result<ClientId, StoreError> {
        let (client, _) = self.see(change)?;
        let key = self.key(change);
        let touched = match self.leases.get(&key) {
            Some(known) => known.touched.and(Touched::Everything),
            None => Touched::New,
        };
        let lease = LeaseEntry {
            client,
            iaid: change.iaid,
            source: change.source,
            state: LeaseState::Active,
            next_hop: change.next_hop,
            granted_to: change.granted_to.clone(),
            recorded: Place::default(),
            preferred_until: change.preferred_until,
            valid_until: change.valid_until,
            granted: change.at,
            changed: change.at,
            touched,
        };
        self.leases.insert(key, lease);
        Ok(self.clients[client].id)
    }

    /// The change's client continues to hold its lease. Returns what is new about it.
    pub(super) fn extend(&mut self, change: &LeaseChange) -> Result<(ClientId, News), StoreError> {
        let (client, mut news) = self.see(change)?;
        let key = self.key(change);
        if let Some(lease) = self.leases.get_mut(&key) {
            let says_the_same =
                lease.iaid == change.iaid && lease.source == change.source && lease.next_hop == change.next_hop;
            // After an earlier change of the group, what is recorded is not what the lease has.
            let stays = lease.recorded.has(&change.granted_to) && lease.granted_to == GrantedTo::default();
            news.moved |= !stays;
            if !stays {
                let earlier = std::mem::replace(&mut lease.granted_to, change.granted_to.clone());
                lease.granted_to.complete(earlier);
            }
            if !says_the_same || change.valid_until < lease.valid_until {
                lease.iaid = change.iaid;
                lease.source = change.source;
                lease.next_hop = change.next_hop;
                lease.touched = lease.touched.and(Touched::Cut);
            }
            lease.touched = lease.touched.and(match stays {
                true => Touched::Renewed,
                false => Touched::Moved,
            });
            lease.preferred_until = change.preferred_until;
            lease.valid_until = change.valid_until;
            lease.changed = change.at;
        }
        Ok((self.clients[client].id, news))
    }

    /// Ends the lease in this state. A declined lease keeps the end of its quarantine.
    pub(super) fn end(&mut self, change: &LeaseChange, state: LeaseState) {
        let key = self.key(change);
        if let Some(lease) = self.leases.get_mut(&key) {
            lease.state = state;
            lease.changed = change.at;
            lease.touched = lease.touched.and(Touched::Ended);
            if state == LeaseState::Declined {
                lease.valid_until = change.valid_until;
            }
        }
    }

    /// Records what a change says about its client, and that the client wants an instance. Returns the client, and what is
    /// new about it: one with another link-layer address than before has moved.
    fn see(&mut self, change: &LeaseChange) -> Result<(usize, News), StoreError> {
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
        let other_link_layer = link_layer.is_some() && link_layer != client.link_layer;
        let renamed = hostname.is_some() && hostname != client.hostname;
        let is_news = other_link_layer || renamed || class != client.class || !client.wants_instance;
        // The lease has the time when the client was last seen. No row is written for that alone.
        if is_news {
            client.link_layer = link_layer.or(client.link_layer.take());
            client.hostname = hostname.or(client.hostname.take());
            client.class = class;
            client.wants_instance = true;
            client.touched = client.touched.and(Touched::Everything);
        }
        let news = News {
            moved: other_link_layer,
            renamed,
        };
        Ok((index, news))
    }

    /// Creates the row of a new client.
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

    /// The shared copy of a link's name. A group has few links.
    fn link(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.links.iter().find(|known| &***known == name) {
            return known.clone();
        }
        let name: Arc<str> = name.into();
        self.links.push(name.clone());
        name
    }
}
