//! The transaction that writes share, and the events that become known when it commits.

use super::StoreError;
use super::connection::{Tx, execute, fetch_optional, statements};
use super::text::plain;
use crate::model::{Event, NewEvent};

statements! {
    LAST_EVENT = "select coalesce(max(id), 0) from events";
    INSERT_EVENT = "insert into events (id, at, kind, link, client, instance, address, detail)
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
}

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

    /// Adds a row to the timeline. Ids rise by one, in the order of commits: only the writer gives them out.
    pub(super) async fn append_event(&mut self, new: NewEvent) -> Result<Event, StoreError> {
        let last = match self.last_event {
            Some(last) => last,
            None => fetch_optional!(&mut self.tx, "find the last event", (i64,), LAST_EVENT)?.map_or(0, |(id,)| id),
        };
        let id = last.saturating_add(1);
        let NewEvent {
            at,
            kind,
            link,
            client,
            instance,
            leased,
            detail,
        } = new;
        let event = Event {
            id,
            at,
            kind,
            link,
            client,
            instance,
            leased,
            detail: detail.map(plain),
        };
        execute!(
            &mut self.tx,
            "record an event",
            INSERT_EVENT,
            id,
            event.at.0,
            event.kind.word(),
            event.link.as_deref(),
            event.client.map(|client| client.to_string()),
            event.instance.map(|instance| instance.to_string()),
            event.leased.map(|leased| leased.to_string()),
            event.detail.as_deref(),
        )?;
        self.last_event = Some(id);
        self.events.push(event.clone());
        Ok(event)
    }

    /// Commits, and gives the events that are in the timeline from now on.
    pub(super) async fn commit(self) -> Result<Vec<Event>, StoreError> {
        self.tx.commit("commit").await?;
        Ok(self.events)
    }
}
