//! Writes the rows of a group.

use super::{ClientEntry, LeaseEntry, Ledger, Touched};
use crate::StoreError;
use crate::batch::Batch;
use crate::rows::{Kind, ManyRows, Number, Text, execute_rows};

const CLIENT: &[(&str, Kind)] = &[
    ("id", Text),
    ("link", Text),
    ("duid", Text),
    ("link_layer", Text),
    ("hostname", Text),
    ("class", Text),
    ("wants_instance", Number),
    ("first_seen", Number),
    ("last_seen", Number),
];
const LEASE: &[(&str, Kind)] = &[
    ("link", Text),
    ("address", Text),
    ("client", Text),
    ("iaid", Number),
    ("source", Text),
    ("state", Text),
    ("next_hop", Text),
    ("link_layer", Text),
    ("link_local", Text),
    ("port", Text),
    ("relay", Text),
    ("preferred_until", Number),
    ("valid_until", Number),
    ("granted", Number),
    ("changed", Number),
    ("due", Number),
];
const RENEWED: &[(&str, Kind)] = &[
    ("link", Text),
    ("address", Text),
    ("preferred_until", Number),
    ("valid_until", Number),
    ("changed", Number),
];
const MOVED: &[(&str, Kind)] = &[
    ("link", Text),
    ("address", Text),
    ("link_layer", Text),
    ("link_local", Text),
    ("port", Text),
    ("relay", Text),
    ("preferred_until", Number),
    ("valid_until", Number),
    ("changed", Number),
];
const ENDED: &[(&str, Kind)] = &[
    ("link", Text),
    ("address", Text),
    ("state", Text),
    ("preferred_until", Number),
    ("valid_until", Number),
    ("changed", Number),
    ("due", Number),
];

static ADD_CLIENTS: ManyRows = ManyRows::new(
    CLIENT,
    "insert or fail into clients
        (id, link, duid, link_layer, hostname, class, wants_instance, first_seen, last_seen)
    select * from given where id is not null",
);
static ADD_LEASES: ManyRows = ManyRows::new(
    LEASE,
    "insert or fail into leases
        (link, address, client, iaid, source, state, next_hop, link_layer, link_local, port, relay,
        preferred_until, valid_until, granted, changed, due)
    select * from given where link is not null",
);
// Each of the others leaves out unchanged columns, and so the indexes on them. What a message does not show about its
// client's place stays recorded, unless the client has another link-local address now.
static CHANGE_CLIENTS: ManyRows = ManyRows::new(
    CLIENT,
    "update or fail clients set link_layer = given.link_layer, hostname = given.hostname, class = given.class,
        wants_instance = given.wants_instance, last_seen = given.last_seen
    from given where clients.id = given.id",
);
static CHANGE_LEASES: ManyRows = ManyRows::new(
    LEASE,
    "update or fail leases set client = given.client, iaid = given.iaid, source = given.source, state = given.state,
        next_hop = given.next_hop, link_layer = given.link_layer, link_local = given.link_local, port = given.port,
        relay = given.relay, preferred_until = given.preferred_until, valid_until = given.valid_until, granted = given.granted, changed = given.changed, due = given.due
    from given where leases.link = given.link and leases.address = given.address",
);
static END_LEASES: ManyRows = ManyRows::new(
    ENDED,
    "update or fail leases set state = given.state, preferred_until = given.preferred_until,
        valid_until = given.valid_until, changed = given.changed, due = given.due
    from given where leases.link = given.link and leases.address = given.address",
);
static RENEW_LEASES: ManyRows = ManyRows::new(
    RENEWED,
    "update or fail leases set preferred_until = given.preferred_until, valid_until = given.valid_until,
        changed = given.changed
    from given where leases.link = given.link and leases.address = given.address",
);
static CUT_LEASES: ManyRows = ManyRows::new(
    LEASE,
    "update or fail leases set iaid = given.iaid, source = given.source, state = given.state, next_hop = given.next_hop,
        link_layer = case when given.link_local <> leases.link_local or given.relay is not null
            then given.link_layer else coalesce(given.link_layer, leases.link_layer) end,
        port = case when given.link_local <> leases.link_local or given.relay is not null
            then given.port else coalesce(given.port, leases.port) end,
        relay = case when given.link_local is null then leases.relay else given.relay end,
        link_local = coalesce(given.link_local, leases.link_local),
        preferred_until = given.preferred_until, valid_until = given.valid_until, changed = given.changed, due = given.due
    from given where leases.link = given.link and leases.address = given.address",
);
static MOVE_LEASES: ManyRows = ManyRows::new(
    MOVED,
    "update or fail leases set
        link_layer = case when given.link_local <> leases.link_local or given.relay is not null
            then given.link_layer else coalesce(given.link_layer, leases.link_layer) end,
        port = case when given.link_local <> leases.link_local or given.relay is not null
            then given.port else coalesce(given.port, leases.port) end,
        relay = case when given.link_local is null then leases.relay else given.relay end,
        link_local = coalesce(given.link_local, leases.link_local),
        preferred_until = given.preferred_until, valid_until = given.valid_until, changed = given.changed
    from given where leases.link = given.link and leases.address = given.address",
);

pub(super) static MANY: [&ManyRows; 8] = [
    &ADD_CLIENTS,
    &ADD_LEASES,
    &CHANGE_CLIENTS,
    &CHANGE_LEASES,
    &CUT_LEASES,
    &MOVE_LEASES,
    &END_LEASES,
    &RENEW_LEASES,
];

impl Ledger {
    /// Writes every row that has changed.
    pub(crate) async fn write(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        for (touched, statement) in [(Touched::New, &ADD_CLIENTS), (Touched::Everything, &CHANGE_CLIENTS)] {
            let clients = self.clients.iter().filter(|client| client.touched == touched);
            let clients: Vec<ClientColumns<'_>> = clients.map(ClientColumns::of).collect();
            execute_rows!(batch, "remember clients", statement, &clients, row => [
                row.id.as_str(), &*row.entry.link, row.duid.as_str(), row.entry.link_layer.as_deref(),
                row.entry.hostname.as_deref(), row.entry.class.as_deref(), i64::from(row.entry.wants_instance),
                row.entry.first_seen.0, row.entry.seen.0,
            ])?;
        }
        self.write_times(batch).await?;
        for (touched, statement) in [
            (Touched::New, &ADD_LEASES),
            (Touched::Everything, &CHANGE_LEASES),
            (Touched::Cut, &CUT_LEASES),
        ] {
            let leases = self.lease_columns(touched);
            execute_rows!(batch, "record leases", statement, &leases, of => [
                of.row.link, of.row.leased.as_str(), of.client.as_str(), i64::from(of.row.entry.iaid.0),
                of.row.entry.source.word(), of.row.entry.state.word(), of.next_hop.as_deref(),
                of.link_layer.as_deref(), of.link_local.as_deref(), of.row.entry.granted_to.port.as_deref(),
                of.relay.as_deref(),
                of.row.entry.preferred_until.0, of.row.entry.valid_until.0, of.row.entry.granted.0,
                of.row.entry.changed.0, of.row.entry.due(),
            ])?;
        }
        Ok(())
    }

    /// Writes the leases of which little has changed: most renewals and releases.
    async fn write_times(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let moved = self.lease_columns(Touched::Moved);
        match moved.is_empty() {
            true => self.write_renewed(batch).await?,
            // One statement for both: a second one costs a trip to the database. The place of a lease that was only
            // renewed is null here, and what is recorded stays.
            false => {
                let renewed = self.lease_columns(Touched::Renewed);
                let extended: Vec<_> = moved.into_iter().chain(renewed).collect();
                execute_rows!(batch, "extend leases", MOVE_LEASES, &extended, of => [
                    of.row.link, of.row.leased.as_str(), of.link_layer.as_deref(), of.link_local.as_deref(),
                    of.row.entry.granted_to.port.as_deref(), of.relay.as_deref(), of.row.entry.preferred_until.0,
                    of.row.entry.valid_until.0, of.row.entry.changed.0,
                ])?;
            }
        }
        let ended = self.touched(Touched::Ended);
        execute_rows!(batch, "end leases", END_LEASES, &ended, row => [
            row.link, row.leased.as_str(), row.entry.state.word(), row.entry.preferred_until.0,
            row.entry.valid_until.0, row.entry.changed.0, row.entry.due(),
        ])
    }

    async fn write_renewed(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let renewed = self.touched(Touched::Renewed);
        execute_rows!(batch, "renew leases", RENEW_LEASES, &renewed, row => [
            row.link, row.leased.as_str(), row.entry.preferred_until.0, row.entry.valid_until.0, row.entry.changed.0,
        ])
    }

    /// The leases of which so much has changed.
    fn touched(&self, touched: Touched) -> Vec<Row<'_>> {
        let rows = self.leases.iter().filter(|(_, lease)| lease.touched == touched);
        rows.map(|((link, leased), entry)| Row {
            link,
            leased: leased.to_string(),
            entry,
        })
        .collect()
    }

    fn lease_columns(&self, touched: Touched) -> Vec<LeaseColumns<'_>> {
        let rows = self.touched(touched).into_iter();
        rows.map(|row| LeaseColumns {
            client: self.clients[row.entry.client].id.to_string(),
            next_hop: row.entry.next_hop.map(|hop| hop.to_string()),
            link_layer: row.entry.granted_to.link_layer.as_ref().map(ToString::to_string),
            link_local: row.entry.granted_to.link_local.map(|address| address.to_string()),
            relay: row.entry.granted_to.relay.map(|address| address.to_string()),
            row,
        })
        .collect()
    }
}

/// A client as columns of its row.
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

/// A lease with the key of its row.
struct Row<'l> {
    link: &'l str,
    leased: String,
    entry: &'l LeaseEntry,
}

/// A lease as columns of its row.
struct LeaseColumns<'l> {
    row: Row<'l>,
    client: String,
    next_hop: Option<String>,
    link_layer: Option<String>,
    link_local: Option<String>,
    relay: Option<String>,
}
