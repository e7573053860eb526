//! The transaction that writes share, and the events that become known when it commits.

use super::StoreError;
use super::connection::{Tx, fetch_optional, statements};
use super::rows::{ManyRows, execute_rows};
use super::text::plain;
use crate::model::{Event, NewEvent};

statements! {
    LAST_EVENT = "select coalesce(max(id), 0) from events";
}

static INSERT_EVENTS: ManyRows = ManyRows::new(
    "insert into events (id, at, kind, link, client, instance, address, detail)",
    8,
    "",
);

/// Every statement over many rows of this module.
pub(super) static MANY: [&ManyRows; 1] = [&INSERT_EVENTS];

/// A transaction that has not been committed yet.
pub(super) struct Batch<'c> {
    pub(super) tx: Tx<'c>,
    last_event: Option<i64>,
    events: Vec<Event>,
}

impl<'c> Batch<'c> {
    pub(super) fn new(tx: Tx<'c>) -> Self {
        Self {
            tx,
            last_event: None,
            events: Vec::new(),
        }
    }

    /// Adds a row to the timeline.
    pub(super) async fn append_event(&mut self, new: NewEvent) -> Result<Event, StoreError> {
        let events = self.append_events(vec![new]).await?;
        events.first().cloned().ok_or(StoreError::closed("record an event"))
    }

    /// Adds rows to the timeline. Ids rise by one, in the order of commits: only the writer gives them out.
    pub(super) async fn append_events(&mut self, new: Vec<NewEvent>) -> Result<&[Event], StoreError> {
        let first = self.events.len();
        if new.is_empty() {
            return Ok(&[]);
        }
        let mut id = match self.last_event {
            Some(last) => last,
            None => fetch_optional!(&mut self.tx, "find the last event", (i64,), LAST_EVENT)?.map_or(0, |(id,)| id),
        };
        for new in new {
            id = id.saturating_add(1);
            self.events.push(known_as(id, new));
        }
        self.last_event = Some(id);
        execute_rows!(&mut self.tx, "record events", INSERT_EVENTS, &self.events[first..], event => [
            event.id,
            event.at.0,
            event.kind.word(),
            event.link.as_deref(),
            event.client.map(|client| client.to_string()),
            event.instance.map(|instance| instance.to_string()),
            event.leased.map(|leased| leased.to_string()),
            event.detail.as_deref(),
        ])?;
        Ok(&self.events[first..])
    }

    /// Commits, and gives the events that are in the timeline from now on.
    pub(super) async fn commit(self) -> Result<Vec<Event>, StoreError> {
        self.tx.commit("commit").await?;
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
        leased,
        detail,
    } = new;
    Event {
        id,
        at,
        kind,
        link,
        client,
        instance,
        leased,
        detail: detail.map(plain),
    }
}
