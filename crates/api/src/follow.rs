//! The timeline as a stream of Server-Sent Events.
//!
//! ```text
//!             notified of the very next event               notified of a later one, lagged,
//!                         ┌─────┐                             or not notified for long
//!   opened ──▶ behind ──▶ up to date ────────────────────────────────────▶ behind
//!              reads the table until its end                               reads the table
//! ```
//!
//! The table is authoritative, and a committed event only serves as a notification. So a stream cannot miss an event,
//! even if its reader lags, the database was away, or a commit was not answered in time and sent no notification.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast};
use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use super::problem::Fault;
use super::routes::Shared;
use super::wire::IntoWire;
use orchestrator_model::Event;
use orchestrator_runtime::causes::with_causes;
use orchestrator_store::{EventFilter, Store, StoreError};

/// Events on a page.
const PAGE: u32 = 500;

/// How long a stream may be silent before the daemon sends a comment to keep it alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long a stream waits for a notification before it reads the table.
const PERIOD: Duration = Duration::from_secs(10);

/// How long a stream waits before it asks an unreachable database again.
const PAUSE: Duration = Duration::from_secs(1);

/// A stream of the events that match `filter`, from its `after` on.
pub(super) async fn follow(
    shared: &Shared,
    connection: &Connection,
    store: Store,
    filter: EventFilter,
) -> Result<Response, Fault> {
    let permits = shared.stream_permits(connection)?;
    // Subscribe before the table is read, so that commits in between notify.
    let committed = store.subscribe();
    let seen = match filter.after {
        Some(after) => after,
        None => last_event(&store).await?,
    };
    let draining = shared.draining.clone();
    let follower = Follower {
        store,
        committed,
        filter,
        seen,
        behind: true,
        read: VecDeque::new(),
        draining,
        _permits: permits,
    };
    let messages = stream::unfold(follower, |mut follower| async move {
        let message = follower.next().await?;
        Some((Ok::<_, Infallible>(message), follower))
    });
    Ok(answer(messages))
}

/// Builds the answer: the messages as they come, and a comment after each long silence.
fn answer(messages: impl Stream<Item = Result<Message, Infallible>> + Send + 'static) -> Response {
    Sse::new(messages)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response()
}

async fn last_event(store: &Store) -> Result<i64, StoreError> {
    let last = EventFilter {
        latest: true,
        limit: Some(1),
        ..EventFilter::default()
    };
    Ok(store.events(last).await?.items.last().map_or(0, |event| event.id))
}

struct Follower {
    store: Store,
    committed: broadcast::Receiver<Event>,
    filter: EventFilter,
    /// Every event up to this number was sent, is in `read`, or does not match the stream's filter.
    seen: i64,
    /// Whether the table may have events after `seen` for which no notification came.
    behind: bool,
    read: VecDeque<Event>,
    draining: CancellationToken,
    _permits: [OwnedSemaphorePermit; 2],
}

impl Follower {
    /// The next event; `None` when the daemon stops.
    async fn next(&mut self) -> Option<Message> {
        let draining = self.draining.clone();
        tokio::select! {
            () = draining.cancelled() => None,
            event = self.next_event() => Some(message(event)),
        }
    }

    async fn next_event(&mut self) -> Event {
        loop {
            if let Some(event) = self.read.pop_front() {
                return event;
            }
            if !self.behind {
                self.listen().await;
            } else if let Err(error) = self.catch_up().await {
                tracing::debug!(error = with_causes(&error), "a stream of events waits for the database");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// Reads a page of the events after `seen`.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        let last = last_event(&self.store).await?;
        if last <= self.seen {
            self.behind = false;
            return Ok(());
        }
        let before = Some(last.saturating_add(1));
        let filter = EventFilter {
            after: Some(self.seen),
            before,
            limit: Some(PAGE),
            ..self.filter.clone()
        };
        let page = self.store.events(filter).await?;
        self.seen = match page.items.last() {
            Some(event) if page.next.is_some() => event.id,
            _ => last,
        };
        self.read = page.items.into();
        Ok(())
    }

    /// Waits for a notification. Takes its event if its number is the next one.
    async fn listen(&mut self) {
        match tokio::time::timeout(PERIOD, self.committed.recv()).await {
            Ok(Ok(event)) if event.id <= self.seen => {}
            Ok(Ok(event)) if event.id == self.seen.saturating_add(1) => {
                self.seen = event.id;
                if self.filter.matches(&event) {
                    self.read.push_back(event);
                }
            }
            // The store was closed: the daemon stops.
            Ok(Err(RecvError::Closed)) => std::future::pending().await,
            Ok(Ok(_) | Err(RecvError::Lagged(_))) | Err(_) => self.behind = true,
        }
    }
}

fn message(event: Event) -> Message {
    let event = event.into_wire();
    let message = Message::default().id(event.id.to_string()).event(event.kind.word());
    // An event is plain text and numbers, of which JSON can be made.
    message
        .json_data(&event)
        .unwrap_or_else(|_| Message::default().comment("an event that cannot be shown"))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_stream_shows_every_fifteen_seconds_that_it_is_alive() {
        let mut body = answer(stream::pending()).into_body();
        let begin = Instant::now();
        for sign in 1..=3 {
            let frame = body.frame().await.unwrap().unwrap();
            assert!(frame.into_data().unwrap().starts_with(b":"));
            assert_eq!(begin.elapsed().as_secs(), sign * 15);
        }
    }
}
