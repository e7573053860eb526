//! The timeline as rows.

use std::collections::BTreeSet;

use sqlx::FromRow;

use super::batch::Batch;
use super::connection::{Session, fetch_all, fetch_optional, statements, within};
use super::page::limits;
use super::text::Columns;
use super::writer::Write;
use super::{Store, StoreError};
use orchestrator_model::{ClientId, Duid, Event, HostId, InstanceId, NewEvent, Page, Timestamp};

statements! {
    FIRST = "select id, at, kind, link, client, instance, host, service, address, detail, by from events
        where id > $1 and id < $2 and (link = $3 or $3 is null) and (client = $4 or $4 is null)
            and (instance = $5 or $5 is null)
        order by id limit $6";
    LATEST = "select id, at, kind, link, client, instance, host, service, address, detail, by from events
        where id > $1 and id < $2 and (link = $3 or $3 is null) and (client = $4 or $4 is null)
            and (instance = $5 or $5 is null)
        order by id desc limit $6";
    OF_OTHERS = "select id, at, kind, link, client, instance, host, service, address, detail, by from events
        where id in (select id from (
                select id from events where kind = 'other-server' and at >= $1 order by id desc limit $2) s
            union all select id from (
                select id from events where kind = 'other-router' and at >= $1 order by id desc limit $2) r)
        order by id desc";
    OF_DUID = "select id from clients where link = $1 and duid = $2";
}

const COLUMNS: Columns = Columns("event");

/// How long another server or router counts as there after it was recorded, in milliseconds. It is recorded again after an
/// hour.
const LATELY: i64 = 2 * 3_600_000;
/// The events about servers that are read, and those about routers: more than anybody looks at.
const MOST: i64 = 256;

#[derive(FromRow)]
struct EventRow {
    id: i64,
    at: i64,
    kind: String,
    link: Option<String>,
    client: Option<String>,
    instance: Option<String>,
    host: Option<String>,
    service: Option<String>,
    address: Option<String>,
    detail: Option<String>,
    by: Option<String>,
}

impl TryFrom<EventRow> for Event {
    type Error = StoreError;

    fn try_from(row: EventRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            at: Timestamp(row.at),
            kind: COLUMNS.parse("kind", &row.kind)?,
            link: row.link,
            client: COLUMNS.parse_some("client", row.client.as_deref())?,
            instance: COLUMNS.parse_some("instance", row.instance.as_deref())?,
            host: row.host.map(HostId::new),
            service: row.service,
            leased: COLUMNS.parse_some("address", row.address.as_deref())?,
            detail: row.detail,
            by: row.by,
        })
    }
}

/// The events to list.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only events with a higher id.
    pub after: Option<i64>,
    /// Only events with a lower id.
    pub before: Option<i64>,
    /// Only events of this bridge.
    pub link: Option<String>,
    /// Only events of this client.
    pub client: Option<ClientId>,
    /// Only events of this instance.
    pub instance: Option<InstanceId>,
    /// Whether to list the last matching events instead of the first, still in rising order.
    pub latest: bool,
    /// The largest number of rows; [`MAX_LIMIT`](super::MAX_LIMIT) by default.
    pub limit: Option<u32>,
}

impl EventFilter {
    /// Whether an event matches the filter, apart from its limit.
    pub fn matches(&self, event: &Event) -> bool {
        self.after.is_none_or(|after| event.id > after)
            && self.before.is_none_or(|before| event.id < before)
            && (self.link.is_none() || event.link == self.link)
            && (self.client.is_none() || event.client == self.client)
            && (self.instance.is_none() || event.instance == self.instance)
    }
}

impl Store {
    /// Events in the order in which they happened. `next` is the `after` of the next page.
    ///
    /// With `latest` there is no `next`, because later events are not committed yet.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn events(&self, filter: EventFilter) -> Result<Page<Event>, StoreError> {
        let (limit, more) = limits(filter.limit);
        let (sql, rows) = if filter.latest {
            (LATEST, i64::from(limit))
        } else {
            (FIRST, more)
        };
        let rows = fetch_all!(
            &mut self.glance().await?,
            "list events",
            EventRow,
            sql,
            filter.after.unwrap_or(i64::MIN),
            filter.before.unwrap_or(i64::MAX),
            filter.link.as_deref(),
            filter.client.map(|client| client.to_string()),
            filter.instance.map(|instance| instance.to_string()),
            rows,
        )?;
        let mut events = rows.into_iter().map(Event::try_from).collect::<Result<Vec<_>, _>>()?;
        if filter.latest {
            events.reverse();
        }
        Ok(Page::new(events, limit, |event| event.id.to_string()))
    }

    /// Adds a row to the timeline.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn append_event(&self, event: NewEvent) -> Result<Event, StoreError> {
        self.write(AppendEvent(event)).await
    }

    /// Adds a row to the timeline of the client with this DUID on the row's link. Without such a client, the row names
    /// none.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn append_event_of(&self, duid: Duid, event: NewEvent) -> Result<Event, StoreError> {
        self.write(AppendEventOf(duid, event)).await
    }

    /// The other DHCPv6 servers and routers that were seen on links in the last two hours: the youngest event about each,
    /// the youngest first.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn others(&self, now: Timestamp) -> Result<Vec<Event>, StoreError> {
        let mut tx = self.glance().await?;
        let rows = fetch_all!(
            &mut tx,
            "read the events about others",
            EventRow,
            OF_OTHERS,
            lately(now),
            MOST
        )?;
        each_once(rows)
    }
}

/// As [`Store::others`], on a connection that only reads.
pub(crate) async fn of_others(session: &mut Session, now: Timestamp) -> Result<Vec<Event>, StoreError> {
    let doing = "read what is recorded of other servers and routers";
    macro_rules! read {
        ($session:expr) => {{
            let query = sqlx::query_as(OF_OTHERS).bind(lately(now)).bind(MOST);
            within(doing, query.fetch_all($session)).await?
        }};
    }
    let rows: Vec<EventRow> = match session {
        Session::Sqlite(session) => read!(session),
        Session::Postgres(session) => read!(session),
    };
    each_once(rows)
}

/// The beginning of the time in which others count as seen.
fn lately(now: Timestamp) -> i64 {
    now.0.saturating_sub(LATELY)
}

/// Of events that say the same about a link, the youngest.
fn each_once(rows: Vec<EventRow>) -> Result<Vec<Event>, StoreError> {
    let mut known = BTreeSet::new();
    let mut events = Vec::new();
    for row in rows {
        if known.insert((row.kind.clone(), row.link.clone(), row.detail.clone())) {
            events.push(Event::try_from(row)?);
        }
    }
    Ok(events)
}

struct AppendEvent(NewEvent);

impl Write for AppendEvent {
    type Output = Event;
    const DOING: &'static str = "record an event";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Event, StoreError> {
        batch.append_event(self.0.clone()).await
    }
}

struct AppendEventOf(Duid, NewEvent);

impl Write for AppendEventOf {
    type Output = Event;
    const DOING: &'static str = "record an event of a client";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Event, StoreError> {
        let Self(duid, event) = self;
        let (link, duid) = (event.link.as_deref(), duid.to_string());
        let row = fetch_optional!(&mut batch.tx, "find a client", (String,), OF_DUID, link, duid)?;
        let id = row.map(|(id,)| Columns("client").parse("id", &id)).transpose()?;
        let client = id.or(event.client);
        batch
            .append_event(NewEvent {
                client,
                ..event.clone()
            })
            .await
    }
}
