//! Writes the rows of a group.

use super::{ClientEntry, LeaseEntry, Ledger, Touched};
use crate::store::StoreError;
use crate::store::batch::Batch;
use crate::store::rows::{ManyRows, execute_rows};

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

pub(super) static MANY: [&ManyRows; 3] = [&KEEP_CLIENTS, &KEEP_LEASES, &EXTEND_LEASES];

impl Ledger {
    /// Writes every row that is not as it was found.
    pub(in crate::store) async fn write(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let clients: Vec<ClientColumns<'_>> = self
            .clients
            .iter()
            .filter(|client| client.touched)
            .map(ClientColumns::of)
            .collect();
        execute_rows!(batch, "remember clients", KEEP_CLIENTS, &clients, row => [
            row.id.as_str(), &*row.entry.link, row.duid.as_str(), row.entry.link_layer.as_deref(),
            row.entry.hostname.as_deref(), row.entry.class.as_deref(), i64::from(row.entry.wants_instance),
            row.entry.first_seen.0, row.entry.seen.0,
        ])?;
        let mut leases = self.lease_columns(Touched::Everything);
        execute_rows!(batch, "record leases", KEEP_LEASES, &leases, row => [
            row.link, row.leased.as_str(), row.client.as_str(), i64::from(row.entry.iaid.0),
            row.entry.source.word(), row.entry.state.word(), row.next_hop.as_deref(), row.entry.preferred_until.0,
            row.entry.valid_until.0, row.entry.granted.0, row.entry.changed.0,
        ])?;
        leases = self.lease_columns(Touched::Extended);
        execute_rows!(batch, "renew leases", EXTEND_LEASES, &leases, row => [
            row.link, row.leased.as_str(), row.client.as_str(), i64::from(row.entry.iaid.0),
            row.entry.source.word(), row.entry.state.word(), row.next_hop.as_deref(), row.entry.preferred_until.0,
            row.entry.valid_until.0, row.entry.granted.0, row.entry.changed.0,
        ])
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
