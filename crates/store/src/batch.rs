//! The transaction that several writes share, and the events that are published when it commits.

use sqlx::SqliteConnection;

use super::StoreError;
use super::connection::{BEGIN, COMMIT, Session, SqliteTx, Tx, fetch_optional, statements};
use super::leader::Lead;
use super::rows::{ManyRows, Number, Text, execute_rows};
use super::script::{SMALL, Script};
use super::text::plain;
use orchestrator_model::{Event, HostId, NewEvent};

statements! {
    LAST_EVENT = "select coalesce(max(id), 0) from events";
}

static INSERT_EVENTS: ManyRows = ManyRows::new(
    &[
        ("id", Number),
        ("at", Number),
        ("kind", Text),
        ("link", Text),
        ("client", Text),
        ("instance", Text),
        ("host", Text),
        ("service", Text),
        ("address", Text),
        ("detail", Text),
        ("by", Text),
    ],
    "insert or fail into events (id, at, kind, link, client, instance, host, service, address, detail, by)
    select * from given where id is not null",
);

// An event of a lease: it names no instance, host or service, and nobody who asked for it. There are many of these.
static INSERT_LEASE_EVENTS: ManyRows = ManyRows::new(
    &[
        ("id", Number),
        ("at", Number),
        ("kind", Text),
        ("link", Text),
        ("client", Text),
        ("address", Text),
        ("detail", Text),
    ],
    "insert or fail into events (id, at, kind, link, client, address, detail)
    select * from given where id is not null",
);

/// Every statement over many rows of this module.
pub(super) static MANY: [&ManyRows; 2] = [&INSERT_EVENTS, &INSERT_LEASE_EVENTS];

/// A transaction that has not been committed yet.
pub(super) struct Batch<'c> {
    pub(super) tx: Tx<'c>,
    /// Deferred statements, which run before any other statement.
    pub(super) script: Script,
    last_event: Option<i64>,
    events: Vec<Event>,
}

impl<'c> Batch<'c> {
    /// Begins a transaction.
    pub(super) async fn begin(session: &'c mut Session) -> Result<Self, StoreError> {
        let mut batch = Self::new(session, None, None).await?;
        batch.settle().await?;
        Ok(batch)
    }

    /// A transaction that begins with its first statement. It fails if another daemon has taken `lead`. `last_event` is
    /// the id of the timeline's last event, if it is known.
    pub(super) async fn new(
        session: &'c mut Session,
        lead: Option<&Lead>,
        last_event: Option<i64>,
    ) -> Result<Self, StoreError> {
        let tx = session.transaction(lead).await?;
        let mut script = Script::default();
        if matches!(tx, Tx::Sqlite(_)) {
            script.add(lead.map_or(BEGIN, Lead::begin_sqlite), 0);
        }
        Ok(Self {
            tx,
            script,
            last_event,
            events: Vec::new(),
        })
    }

    /// Runs the deferred statements. From now on [`Batch::tx`] may be used directly.
    pub(super) async fn settle(&mut self) -> Result<(), StoreError> {
        match &mut self.tx {
            Tx::Sqlite(inner) if !self.script.is_empty() => self.script.run(inner).await,
            _ => Ok(()),
        }
    }

    /// Runs the deferred statements, unless a statement over so many rows may follow them in one text. If large
    /// statements of many sizes were combined, each combination would need a text of its own.
    pub(super) async fn make_room(&mut self, rows: usize) -> Result<(), StoreError> {
        let largest = self.script.largest();
        if largest == 0 || largest.max(rows) <= SMALL {
            return Ok(());
        }
        self.settle().await
    }

    /// The deferred statements, if a query over this many rows may follow them in one text.
    pub(super) fn script_for(&mut self, rows: usize) -> Option<(Script, &mut SqliteConnection)> {
        match &mut self.tx {
            Tx::Sqlite(inner) if self.script.largest().max(rows) <= SMALL => {
                Some((std::mem::take(&mut self.script), inner))
            }
            _ => None,
        }
    }

    /// The id of the timeline's last event, if it is known.
    pub(super) fn last_event(&self) -> Option<i64> {
        self.last_event
    }

    /// Adds a row to the timeline.
    pub(super) async fn append_event(&mut self, new: NewEvent) -> Result<Event, StoreError> {
        let events = self.append_events(vec![new]).await?;
        events.first().cloned().ok_or(StoreError::closed("record an event"))
    }

    /// Adds rows to the timeline. Ids rise by one in the order of commits, because only the writer assigns them.
    pub(super) async fn append_events(&mut self, new: Vec<NewEvent>) -> Result<&[Event], StoreError> {
        let first = self.events.len();
        if new.is_empty() {
            return Ok(&[]);
        }
        let mut id = match self.last_event {
            Some(last) => last,
            None => {
                self.settle().await?;
                fetch_optional!(&mut self.tx, "find the last event", (i64,), LAST_EVENT)?.map_or(0, |(id,)| id)
            }
        };
        for new in new {
            id = id.saturating_add(1);
            self.events.push(known_as(id, new));
        }
        self.last_event = Some(id);
        let events = std::mem::take(&mut self.events);
        let recorded = self.insert_events(&events[first..]).await;
        self.events = events;
        recorded?;
        Ok(&self.events[first..])
    }

    async fn insert_events(&mut self, events: &[Event]) -> Result<(), StoreError> {
        let is_of_lease = |event: &Event| {
            event.instance.is_none() && event.host.is_none() && event.service.is_none() && event.by.is_none()
        };
        if events.iter().all(is_of_lease) {
            return execute_rows!(self, "record events", INSERT_LEASE_EVENTS, &events, event => [
                event.id,
                event.at.0,
                event.kind.word(),
                event.link.as_deref(),
                event.client.map(|client| client.to_string()),
                event.leased.map(|leased| leased.to_string()),
                event.detail.as_deref(),
            ]);
        }
        execute_rows!(self, "record events", INSERT_EVENTS, &events, event => [
            event.id,
            event.at.0,
            event.kind.word(),
            event.link.as_deref(),
            event.client.map(|client| client.to_string()),
            event.instance.map(|instance| instance.to_string()),
            event.host.as_ref().map(HostId::as_str),
            event.service.as_deref(),
            event.leased.map(|leased| leased.to_string()),
            event.detail.as_deref(),
            event.by.as_deref(),
        ])
    }

    /// Commits, and returns the new events of the timeline.
    pub(super) async fn commit(mut self) -> Result<Vec<Event>, StoreError> {
        match self.tx {
            Tx::Sqlite(SqliteTx::Writer(connection)) => {
                self.script.add(COMMIT, 0);
                self.script.run(connection).await?;
            }
            tx => tx.commit("commit").await?,
        }
        Ok(self.events)
    }
}

fn known_as(id: i64, new: NewEvent) -> Event {
    let NewEvent {
        at,
        kind,
        link,
        client,
        instance,
        host,
        service,
        leased,
        detail,
        by,
    } = new;
    Event {
        id,
        at,
        kind,
        link,
        client,
        instance,
        host,
        service: service.map(plain),
        leased,
        detail: detail.map(plain),
        by: by.map(plain),
    }
}
