//! Reads the rows of a group.

use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _, SqliteConnection};

use super::place::{Place, place_column};
use super::{ClientEntry, LeaseEntry, Ledger, Touched};
use crate::StoreError;
use crate::batch::Batch;
use crate::rows::{ManyRows, Text, add_rows, fetch_rows};
use crate::script::Script;
use crate::text::Columns;
use orchestrator_model::{Duid, GrantedTo, Iaid, LeaseChange, LeaseVerb, Timestamp};

static LEASES: ManyRows = ManyRows::new(
    &[("link", Text), ("address", Text)],
    concat!(
        "select l.link, l.address, l.client, c.duid, l.iaid, l.source, l.state, l.next_hop, ",
        place_column!(),
        ", l.preferred_until, l.valid_until, l.granted, l.changed, c.link_layer, c.hostname, c.class, c.wants_instance,
        c.first_seen
    from given join leases l on l.link = given.link and l.address = given.address join clients c on c.id = l.client"
    ),
);
static CLIENTS: ManyRows = ManyRows::new(
    &[("link", Text), ("duid", Text)],
    "select c.id, c.link, c.duid, c.link_layer, c.hostname, c.class, c.wants_instance, c.first_seen
    from given join clients c on c.link = given.link and c.duid = given.duid",
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
    place: String,
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

/// A row of a client or a lease.
enum Row {
    Lease(Box<LeaseRow>),
    Client(ClientRow),
}

impl FromRow<'_, SqliteRow> for Row {
    fn from_row(row: &SqliteRow) -> Result<Self, sqlx::Error> {
        // Only the row of a lease has one.
        match row.try_column("address") {
            Ok(_) => LeaseRow::from_row(row).map(Box::new).map(Self::Lease),
            Err(_) => ClientRow::from_row(row).map(Self::Client),
        }
    }
}

/// The changes that begin or extend a lease. For the other changes, only the lease itself is read.
fn holding<'c>(changes: &[&'c LeaseChange]) -> impl Iterator<Item = &'c LeaseChange> {
    changes.iter().copied().filter(|change| change.verb == LeaseVerb::Hold)
}

fn client_of(change: &LeaseChange) -> (&str, String) {
    (&change.link, change.duid.to_string())
}

/// Each key once, in the order of its index.
fn sorted<'c>(keys: impl Iterator<Item = (&'c str, String)>) -> Vec<(&'c str, String)> {
    let mut keys: Vec<_> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

impl Ledger {
    /// Reads the leases and clients of a group.
    pub(crate) async fn read(batch: &mut Batch<'_>, changes: &[&LeaseChange]) -> Result<Self, StoreError> {
        let mut ledger = Self::default();
        let leases = sorted(
            changes
                .iter()
                .map(|change| (change.link.as_str(), change.leased.to_string())),
        );
        if let Some((script, connection)) = batch.script_for(changes.len()) {
            // One round trip reads both. A client without a lease is not read by it.
            return ledger
                .read_few(script, connection, changes, &leases)
                .await
                .map(|()| ledger);
        }
        let rows = fetch_rows!(batch, "look up leases", LeaseRow, LEASES, &leases,
            key => [key.0, key.1.as_str()])?;
        for row in rows {
            ledger.take_lease(row)?;
        }
        let mut strangers = Vec::new();
        for change in holding(changes) {
            let link = ledger.link(&change.link);
            if !ledger.by_duid.contains_key(&(link, change.duid.clone())) {
                strangers.push(change);
            }
        }
        let strangers = sorted(strangers.into_iter().map(client_of));
        let rows = fetch_rows!(batch, "look up clients", ClientRow, CLIENTS, &strangers,
            key => [key.0, key.1.as_str()])?;
        for row in rows {
            ledger.take_client(row)?;
        }
        Ok(ledger)
    }

    async fn read_few(
        &mut self,
        mut script: Script,
        connection: &mut SqliteConnection,
        changes: &[&LeaseChange],
        leases: &[(&str, String)],
    ) -> Result<(), StoreError> {
        let clients = sorted(holding(changes).map(client_of));
        add_rows!(script, LEASES, leases, key => [key.0, key.1.as_str()]);
        add_rows!(script, CLIENTS, &clients, key => [key.0, key.1.as_str()]);
        for row in script.fetch_all("look up leases and clients", connection).await? {
            match row {
                Row::Lease(row) => self.take_lease(*row)?,
                Row::Client(row) => self.take_client(row).map(drop)?,
            }
        }
        Ok(())
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
            // The recorded values stay, unless a change of the group has others.
            granted_to: GrantedTo::default(),
            recorded: Place::new(row.place),
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
            touched: Touched::Nothing,
        });
        Ok(index)
    }
}
