//! Finds the rows of a group.

use sqlx::FromRow;

use super::{ClientEntry, LeaseEntry, Ledger, Touched};
use crate::model::{Duid, Iaid, LeaseChange, LeaseVerb, Timestamp};
use crate::store::StoreError;
use crate::store::batch::Batch;
use crate::store::rows::{ManyRows, fetch_rows};
use crate::store::text::Columns;

static LEASES: ManyRows = ManyRows::new(
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

pub(super) static MANY: [&ManyRows; 2] = [&LEASES, &CLIENTS];

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

impl Ledger {
    /// Reads what is known of the leases and clients of a group.
    pub(in crate::store) async fn read(batch: &mut Batch<'_>, changes: &[&LeaseChange]) -> Result<Self, StoreError> {
        let mut ledger = Self::default();
        let mut keys: Vec<(&str, String)> = changes
            .iter()
            .map(|change| (change.link.as_str(), change.leased.to_string()))
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let rows = fetch_rows!(batch, "look up leases", LeaseRow, LEASES, &keys,
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
        let rows = fetch_rows!(batch, "look up clients", ClientRow, CLIENTS, &strangers,
            (link, duid) => [*link, duid.as_str()])?;
        for row in rows {
            ledger.take_client(row)?;
        }
        Ok(ledger)
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
}
