//! The rows that a group of lease changes is about: as they were found, and as the changes leave them.
//!
//! A group is looked up, decided and written as a whole, a few statements however many changes it has. Each change
//! sees what the earlier ones of its group did.

use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::sync::Arc;

use sqlx::FromRow;

use super::StoreError;
use super::batch::Batch;
use super::rows::{ManyRows, execute_rows, fetch_rows};
use super::rules::Known;
use super::text::{Columns, plain};
use crate::model::{ClientId, Duid, Iaid, Id, LeaseChange, LeaseSource, LeaseState, LeaseVerb, Leased, Timestamp};

static KNOWN: ManyRows = ManyRows::new(
    "select l.link, l.address, l.client, c.duid, l.iaid, l.source, l.state, l.next_hop, l.preferred_until,
        l.valid_until, l.granted, l.changed, c.link_layer, c.hostname, c.class, c.wants_instance, c.first_seen
    from leases l join clients c on c.id = l.client where (l.link, l.address) in (",
    2,
    ")",
);
static CLIENTS: ManyRows = ManyRows::new(
    "select id, link, duid, link_layer, hostname, class, wants_instance, first_seen
    from clients where (link, duid) in (",
    2,
    ")",
);
static KEEP_CLIENTS: ManyRows = ManyRows::new(
    "insert into clients (id, link, duid, link_layer, hostname, class, wants_instance, first_seen, last_seen)",
    9,
    "on conflict (id) do update set link_layer = excluded.link_layer, hostname = excluded.hostname,
        class = excluded.class, wants_instance = excluded.wants_instance, last_seen = excluded.last_seen",
);
static KEEP_LEASES: ManyRows = ManyRows::new(
    "insert into leases (link, address, client, iaid, source, state, next_hop, preferred_until, valid_until, granted,
        changed)",
    11,
    "on conflict (link, address) do update set client = excluded.client, iaid = excluded.iaid,
        source = excluded.source, state = excluded.state, next_hop = excluded.next_hop,
        preferred_until = excluded.preferred_until, valid_until = excluded.valid_until, granted = excluded.granted,
        changed = excluded.changed",
);
// Leaves alone what a renewal does not change, and the indexes on it.
static EXTEND_LEASES: ManyRows = ManyRows::new(
    "insert into leases (link, address, client, iaid, source, state, next_hop, preferred_until, valid_until, granted,
        changed)",
    11,
    "on conflict (link, address) do update set iaid = excluded.iaid, source = excluded.source,
        next_hop = excluded.next_hop, preferred_until = excluded.preferred_until,
        valid_until = excluded.valid_until, changed = excluded.changed",
);

/// Every statement over many rows that a group takes.
pub(super) static MANY: [&ManyRows; 5] = [&KNOWN, &CLIENTS, &KEEP_CLIENTS, &KEEP_LEASES, &EXTEND_LEASES];

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
    touched: bool,
}

/// A lease of a group.
struct LeaseEntry {
    client: usize,
    iaid: Iaid,
    source: LeaseSource,
    state: LeaseState,
    next_hop: Option<Ipv6Addr>,
    preferred_until: Timestamp,
    valid_until: Timestamp,
    granted: Timestamp,
    changed: Timestamp,
    touched: Touched,
}

/// What of a lease's row is to be written; the greater is the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Touched {
    Nothing,
    Extended,
    Everything,
}

type LeaseKey = (Arc<str>, Leased);

/// The rows of one group of changes.
#[derive(Default)]
pub(super) struct Ledger {
    clients: Vec<ClientEntry>,
    by_duid: HashMap<(Arc<str>, Duid), usize>,
    leases: HashMap<LeaseKey, LeaseEntry>,
    /// The names of the group's links, each once.
    links: Vec<Arc<str>>,
}

impl Ledger {
    /// Reads what is known of the leases and clients of a group.
    pub(super) async fn read(batch: &mut Batch<'_>, changes: &[&LeaseChange]) -> Result<Self, StoreError> {
        let mut ledger = Self::default();
        let mut keys: Vec<(&str, String)> = changes
            .iter()
            .map(|change| (change.link.as_str(), change.leased.to_string()))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let rows = fetch_rows!(&mut batch.tx, "look up leases", LeaseRow, KNOWN, &keys,
            (link, leased) => [*link, leased.as_str()])?;
        for row in rows {
            ledger.take_lease(row)?;
        }
        let mut strangers: Vec<(&str, String)> = Vec::new();
        for change in changes.iter().filter(|change| change.verb == LeaseVerb::Hold) {
            let link = ledger.link(&change.link);
            if !ledger.by_duid.contains_key(&(link, change.duid.clone())) {
                strangers.push((&change.link, change.duid.to_string()));
            }
        }
        strangers.sort_unstable();
        strangers.dedup();
        let rows = fetch_rows!(&mut batch.tx, "look up clients", ClientRow, CLIENTS, &strangers,
            (link, duid) => [*link, duid.as_str()])?;
        for row in rows {
            ledger.take_client(row)?;
        }
        Ok(ledger)
    }

    /// What is known of the lease that a change is about, and whether its client wants an instance.
    pub(super) fn known(&mut self, change: &LeaseChange) -> Option<(Known, bool)> {
        let key = self.key(change);
        let lease = self.leases.get(&key)?;
        let client = &self.clients[lease.client];
        let known = Known {
            client: client.id,
            duid: client.duid.clone(),
            state: lease.state,
            valid_until: lease.valid_until,
            changed: lease.changed,
        };
        Some((known, client.wants_instance))
    }

    /// A change's client holds the lease from now on.
    pub(super) fn grant(&mut self, change: &LeaseChange) -> Result<ClientId, StoreError> {
        let client = self.see(change)?;
        let lease = LeaseEntry {
            client,
            iaid: change.iaid,
            source: change.source,
            state: LeaseState::Active,
            next_hop: change.next_hop,
            preferred_until: change.preferred_until,
            valid_until: change.valid_until,
            granted: change.at,
            changed: change.at,
            touched: Touched::Everything,
        };
        let key = self.key(change);
        self.leases.insert(key, lease);
        Ok(self.clients[client].id)
    }

    /// A change's client goes on holding its lease.
    pub(super) fn extend(&mut self, change: &LeaseChange) -> Result<ClientId, StoreError> {
        let client = self.see(change)?;
        let key = self.key(change);
        if let Some(lease) = self.leases.get_mut(&key) {
            lease.iaid = change.iaid;
            lease.source = change.source;
            lease.next_hop = change.next_hop;
            lease.preferred_until = change.preferred_until;
            lease.valid_until = change.valid_until;
            lease.changed = change.at;
            lease.touched = lease.touched.max(Touched::Extended);
        }
        Ok(self.clients[client].id)
    }

    /// The lease ends in this state; a declined one keeps the end of its quarantine.
    pub(super) fn end(&mut self, change: &LeaseChange, state: LeaseState) {
        let key = self.key(change);
        if let Some(lease) = self.leases.get_mut(&key) {
            lease.state = state;
            lease.changed = change.at;
            lease.touched = Touched::Everything;
            if state == LeaseState::Declined {
                lease.valid_until = change.valid_until;
            }
        }
    }

    /// Writes every row that is not as it was found.
    pub(super) async fn write(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let clients: Vec<ClientColumns<'_>> = self
            .clients
            .iter()
            .filter(|client| client.touched)
            .map(ClientColumns::of)
            .collect();
        execute_rows!(&mut batch.tx, "remember clients", KEEP_CLIENTS, &clients, row => [
            row.id.as_str(), &*row.entry.link, row.duid.as_str(), row.entry.link_layer.as_deref(),
            row.entry.hostname.as_deref(), row.entry.class.as_deref(), i64::from(row.entry.wants_instance),
            row.entry.first_seen.0, row.entry.seen.0,
        ])?;
        let mut leases = self.lease_columns(Touched::Everything);
        execute_rows!(&mut batch.tx, "record leases", KEEP_LEASES, &leases, row => [
            &*row.link, row.leased.as_str(), row.client.as_str(), i64::from(row.entry.iaid.0),
            row.entry.source.word(), row.entry.state.word(), row.next_hop.as_deref(), row.entry.preferred_until.0,
            row.entry.valid_until.0, row.entry.granted.0, row.entry.changed.0,
        ])?;
        leases = self.lease_columns(Touched::Extended);
        execute_rows!(&mut batch.tx, "renew leases", EXTEND_LEASES, &leases, row => [
            &*row.link, row.leased.as_str(), row.client.as_str(), i64::from(row.entry.iaid.0),
            row.entry.source.word(), row.entry.state.word(), row.next_hop.as_deref(), row.entry.preferred_until.0,
            row.entry.valid_until.0, row.entry.granted.0, row.entry.changed.0,
        ])
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
        // That it was seen, its lease tells: no row is written for that alone.
        if is_news {
            client.link_layer = link_layer.or(client.link_layer.take());
            client.hostname = hostname.or(client.hostname.take());
            client.class = class;
            client.wants_instance = true;
            client.touched = true;
        }
        Ok(index)
    }

    /// Makes the row of a client that was never seen.
    fn meet(&mut self, key: (Arc<str>, Duid), at: Timestamp) -> Result<usize, StoreError> {
        let id = Id::random().map_err(|error| StoreError::Random {
            source: Arc::new(error),
        })?;
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
            touched: true,
        });
        self.by_duid.insert(key, index);
        Ok(index)
    }

    fn take_lease(&mut self, row: LeaseRow) -> Result<(), StoreError> {
        let columns = Columns("lease");
        let client = self.take_client(ClientRow {
            id: row.client,
            link: row.link,
            duid: row.duid,
            link_layer: row.link_layer,
            hostname: row.hostname,
            class: row.class,
            wants_instance: row.wants_instance,
            first_seen: row.first_seen,
        })?;
        let link = self.clients[client].link.clone();
        let lease = LeaseEntry {
            client,
            iaid: Iaid(columns.number("iaid", row.iaid)?),
            source: columns.parse("source", &row.source)?,
            state: columns.parse("state", &row.state)?,
            next_hop: columns.parse_some("next_hop", row.next_hop.as_deref())?,
            preferred_until: Timestamp(row.preferred_until),
            valid_until: Timestamp(row.valid_until),
            granted: Timestamp(row.granted),
            changed: Timestamp(row.changed),
            touched: Touched::Nothing,
        };
        self.leases
            .insert((link, columns.parse("address", &row.address)?), lease);
        Ok(())
    }

    fn take_client(&mut self, row: ClientRow) -> Result<usize, StoreError> {
        let columns = Columns("client");
        let link = self.link(&row.link);
        let duid: Duid = columns.parse("duid", &row.duid)?;
        if let Some(known) = self.by_duid.get(&(link.clone(), duid.clone())) {
            return Ok(*known);
        }
        let index = self.clients.len();
        self.by_duid.insert((link.clone(), duid.clone()), index);
        self.clients.push(ClientEntry {
            id: columns.parse("id", &row.id)?,
            link,
            duid,
            link_layer: row.link_layer,
            hostname: row.hostname,
            class: row.class,
            wants_instance: row.wants_instance != 0,
            first_seen: Timestamp(row.first_seen),
            seen: Timestamp(row.first_seen),
            touched: false,
        });
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

    fn lease_columns(&self, touched: Touched) -> Vec<LeaseColumns<'_>> {
        let rows = self.leases.iter().filter(|(_, lease)| lease.touched == touched);
        rows.map(|((link, leased), entry)| LeaseColumns {
            link,
            leased: leased.to_string(),
            client: self.clients[entry.client].id.to_string(),
            next_hop: entry.next_hop.map(|hop| hop.to_string()),
            entry,
        })
        .collect()
    }
}

/// A client as the columns of its row.
struct ClientColumns<'l> {
    id: String,
    duid: String,
    entry: &'l ClientEntry,
}

impl<'l> ClientColumns<'l> {
    fn of(entry: &'l ClientEntry) -> Self {
        Self {
            id: entry.id.to_string(),
            duid: entry.duid.to_string(),
            entry,
        }
    }
}

/// A lease as the columns of its row.
struct LeaseColumns<'l> {
    link: &'l str,
    leased: String,
    client: String,
    next_hop: Option<String>,
    entry: &'l LeaseEntry,
}

#[derive(FromRow)]
struct LeaseRow {
    link: String,
    address: String,
    client: String,
    duid: String,
    iaid: i64,
    source: String,
    state: String,
    next_hop: Option<String>,
    preferred_until: i64,
    valid_until: i64,
    granted: i64,
    changed: i64,
    link_layer: Option<String>,
    hostname: Option<String>,
    class: Option<String>,
    wants_instance: i64,
    first_seen: i64,
}

#[derive(FromRow)]
struct ClientRow {
    id: String,
    link: String,
    duid: String,
    link_layer: Option<String>,
    hostname: Option<String>,
    class: Option<String>,
    wants_instance: i64,
    first_seen: i64,
}
