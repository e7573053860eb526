//! Clients as rows.

use sqlx::FromRow;

use super::batch::Batch;
use super::connection::{Tx, execute, fetch_all, fetch_optional, statements};
use super::page::{Moment, limits};
use super::text::{Columns, plain};
use super::{Store, StoreError};
use crate::model::{Client, ClientId, Id, LeaseChange, Page, Timestamp};

statements! {
    FIND = "select id, link, duid, link_layer, hostname, class, wants_instance, first_seen, last_seen
        from clients where id = $1";
    LIST = "select id, link, duid, link_layer, hostname, class, wants_instance, first_seen, last_seen
        from clients where (link = $1 or $1 is null) and (first_seen, id) > ($2, $3)
        order by first_seen, id limit $4";
    FIND_ID = "select id from clients where link = $1 and duid = $2";
    INSERT = "insert into clients (id, link, duid, link_layer, hostname, class, wants_instance, first_seen, last_seen)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $8)";
    SEEN = "update clients set link_layer = coalesce($2, link_layer), hostname = coalesce($3, hostname),
        class = $4, wants_instance = $5, last_seen = $6 where id = $1";
    SEEN_LEAVING = "update clients set last_seen = $2 where id = $1";
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
            last_seen: Timestamp(row.last_seen),
        })
    }
}

/// Which clients to list.
#[derive(Debug, Clone, Default)]
pub struct ClientFilter {
    /// Only those of this bridge.
    pub link: Option<String>,
    /// Begins after an earlier portion: its `next`.
    pub after: Option<String>,
    /// Rows at most; [`MAX_LIMIT`](super::MAX_LIMIT) unless told.
    pub limit: Option<u32>,
}

impl Store {
    /// One client.
    ///
    /// # Errors
    ///
    /// When the database is away or holds what cannot be read.
    pub async fn client(&self, id: ClientId) -> Result<Option<Client>, StoreError> {
        find(&mut self.snapshot().await?, id).await
    }

    /// Clients in the order in which they were first seen.
    ///
    /// # Errors
    ///
    /// When the cursor is none, or the database is away or holds what cannot be read.
    pub async fn clients(&self, filter: ClientFilter) -> Result<Page<Client>, StoreError> {
        let after = Moment::parse(filter.after.as_deref())?;
        let (limit, rows) = limits(filter.limit);
        let mut tx = self.snapshot().await?;
        let link = filter.link.as_deref();
        let rows = fetch_all!(
            &mut tx,
            "list clients",
            ClientRow,
            LIST,
            link,
            after.at,
            after.id.as_str(),
            rows
        )?;
        let clients = rows.into_iter().map(Client::try_from).collect::<Result<_, _>>()?;
        Ok(Page::new(clients, limit, |client: &Client| {
            Moment::cursor(client.first_seen.0, client.id)
        }))
    }
}

/// Reads one client in a transaction.
pub(super) async fn find(tx: &mut Tx<'_>, id: ClientId) -> Result<Option<Client>, StoreError> {
    let row = fetch_optional!(tx, "look up a client", ClientRow, FIND, id.to_string())?;
    row.map(Client::try_from).transpose()
}

/// Makes sure that the client of a change exists, remembers how it showed itself, and has it want an instance.
///
/// `known` is its id, where a lease has told already.
pub(super) async fn ensure_client(
    batch: &mut Batch<'_>,
    known: Option<ClientId>,
    change: &LeaseChange,
) -> Result<ClientId, StoreError> {
    let duid = change.duid.to_string();
    let link_layer = change.link_layer.as_ref().map(ToString::to_string);
    let hostname = change.hostname.clone().map(plain);
    let known = match known {
        Some(id) => Some(id),
        None => find_id(batch, &change.link, &duid).await?,
    };
    if let Some(id) = known {
        let row = id.to_string();
        execute!(
            &mut batch.tx,
            "remember a client",
            SEEN,
            row,
            link_layer,
            hostname,
            change.class.as_deref(),
            1_i64,
            change.at.0
        )?;
        return Ok(id);
    }
    let id = Id::random().map_err(|error| StoreError::Random {
        source: std::sync::Arc::new(error),
    })?;
    execute!(
        &mut batch.tx,
        "remember a client",
        INSERT,
        id.to_string(),
        change.link.as_str(),
        duid,
        link_layer,
        hostname,
        change.class.as_deref(),
        1_i64,
        change.at.0,
    )?;
    Ok(id)
}

async fn find_id(batch: &mut Batch<'_>, link: &str, duid: &str) -> Result<Option<ClientId>, StoreError> {
    let row = fetch_optional!(&mut batch.tx, "look up a client", (String,), FIND_ID, link, duid)?;
    row.map(|(id,)| COLUMNS.parse("id", &id)).transpose()
}

/// Notes when a client gave its lease up.
pub(super) async fn seen_leaving(batch: &mut Batch<'_>, id: ClientId, at: Timestamp) -> Result<(), StoreError> {
    execute!(&mut batch.tx, "remember a client", SEEN_LEAVING, id.to_string(), at.0).map(drop)
}

/// Has a client want no instance until its next lease event.
pub(super) async fn unwant(batch: &mut Batch<'_>, id: ClientId) -> Result<(), StoreError> {
    execute!(
        &mut batch.tx,
        "remember that a client wants no instance",
        UNWANT,
        id.to_string()
    )
    .map(drop)
}
