//! Clients as rows.

use sqlx::FromRow;

use super::batch::Batch;
use super::connection::{Tx, execute, fetch_all, fetch_optional, statements};
use super::names::{Fit, Name, client_goes_by};
use super::page::{Moment, limits};
use super::text::Columns;
use super::{Store, StoreError};
use orchestrator_model::{Client, ClientId, Page, Timestamp};

statements! {
    FIND = "select c.id, c.link, c.duid, c.link_layer, c.hostname, c.class, c.wants_instance, c.first_seen, c.last_seen,
            (select max(l.changed) from leases l where l.client = c.id) as last_event
        from clients c where c.id = $1";
    LIST = concat!(
        "select c.id, c.link, c.duid, c.link_layer, c.hostname, c.class, c.wants_instance, c.first_seen, c.last_seen,
            (select max(l.changed) from leases l where l.client = c.id) as last_event
        from clients c where (c.link = $4 or $4 is null) and (c.first_seen, c.id) > ($5, $6) and (",
        client_goes_by!(),
        " or $1 is null) order by c.first_seen, c.id limit $7"
    );
    UNWANT = "update clients set wants_instance = 0 where id = $1";
}

const COLUMNS: Columns = Columns("client");

#[derive(FromRow)]
pub(super) struct ClientRow {
    id: String,
    link: String,
    duid: String,
    link_layer: Option<String>,
    hostname: Option<String>,
    class: Option<String>,
    wants_instance: i64,
    first_seen: i64,
    last_seen: i64,
    last_event: Option<i64>,
}

impl TryFrom<ClientRow> for Client {
    type Error = StoreError;

    fn try_from(row: ClientRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: COLUMNS.parse("id", &row.id)?,
            link: row.link,
            duid: COLUMNS.parse("duid", &row.duid)?,
            link_layer: COLUMNS.parse_some("link_layer", row.link_layer.as_deref())?,
            hostname: row.hostname,
            class: row.class,
            wants_instance: row.wants_instance != 0,
            first_seen: Timestamp(row.first_seen),
            // If a lease event has nothing new about the client, only the lease is written.
            last_seen: Timestamp(row.last_event.map_or(row.last_seen, |event| event.max(row.last_seen))),
        })
    }
}

/// The clients to list.
#[derive(Debug, Clone, Default)]
pub struct ClientFilter {
    /// Only clients of this bridge.
    pub link: Option<String>,
    /// Only clients with this name.
    pub name: Option<Name>,
    /// The cursor to continue at: `next` of the page before.
    pub after: Option<String>,
    /// The largest number of rows; [`MAX_LIMIT`](super::MAX_LIMIT) by default.
    pub limit: Option<u32>,
}

impl Store {
    /// The client with this id.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn client(&self, id: ClientId) -> Result<Option<Client>, StoreError> {
        find(&mut self.glance().await?, id).await
    }

    /// Clients in the order in which they were first seen.
    ///
    /// # Errors
    ///
    /// When the cursor is invalid, the database is unreachable, or a row cannot be read.
    pub async fn clients(&self, filter: ClientFilter) -> Result<Page<Client>, StoreError> {
        let after = Moment::parse(filter.after.as_deref())?;
        let (limit, rows) = limits(filter.limit);
        let mut tx = self.snapshot().await?;
        let Some(fit) = fit(&mut tx, &filter).await? else {
            return Ok(Page::new(Vec::new(), limit, |_: &Client| String::new()));
        };
        let rows = list(&mut tx, &filter, fit, &after, rows).await?;
        let clients = rows.into_iter().map(Client::try_from).collect::<Result<_, _>>()?;
        Ok(Page::new(clients, limit, |client: &Client| {
            Moment::cursor(client.first_seen.0, client.id)
        }))
    }
}

/// The first way in which the filter's name matches any of its clients.
async fn fit(tx: &mut Tx<'_>, filter: &ClientFilter) -> Result<Option<Fit>, StoreError> {
    let Some(name) = &filter.name else {
        return Ok(Some(Fit::Id));
    };
    for fit in name.fits() {
        if fits_any(tx, filter.link.as_deref(), name, fit).await? {
            return Ok(Some(fit));
        }
    }
    Ok(None)
}

/// Whether the name matches any client in this way, on one link or on all.
pub(super) async fn fits_any(tx: &mut Tx<'_>, link: Option<&str>, name: &Name, fit: Fit) -> Result<bool, StoreError> {
    let filter = ClientFilter {
        link: link.map(str::to_owned),
        name: Some(name.clone()),
        ..ClientFilter::default()
    };
    Ok(!list(tx, &filter, fit, &Moment::parse(None)?, 1).await?.is_empty())
}

async fn list(
    tx: &mut Tx<'_>,
    filter: &ClientFilter,
    fit: Fit,
    after: &Moment,
    rows: i64,
) -> Result<Vec<ClientRow>, StoreError> {
    let link = filter.link.as_deref();
    let name = filter.name.as_ref();
    fetch_all!(
        tx,
        "list clients",
        ClientRow,
        LIST,
        name.map(Name::text),
        name.map(Name::leased),
        fit as i64,
        link,
        after.at,
        after.id.as_str(),
        rows,
    )
}

/// Reads one client in a transaction.
pub(super) async fn find(tx: &mut Tx<'_>, id: ClientId) -> Result<Option<Client>, StoreError> {
    let row = fetch_optional!(tx, "look up a client", ClientRow, FIND, id.to_string())?;
    row.map(Client::try_from).transpose()
}

/// Clears the client's wish for an instance until its next lease event.
pub(super) async fn unwant(batch: &mut Batch<'_>, id: ClientId) -> Result<(), StoreError> {
    execute!(
        &mut batch.tx,
        "remember that a client wants no instance",
        UNWANT,
        id.to_string()
    )
    .map(drop)
}
