//! The timeline as it grows, as Server-Sent Events.
//!
//! The table is the truth and what is committed just now is only the bell: a stream reads the table whenever the
//! bell rings for it. So it cannot miss an event, whether its reader lags, the database was away, or the bell was.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast};
use tokio_util::sync::CancellationToken;

use super::problem::Fault;
use super::routes::Shared;
use crate::causes::with_causes;
use crate::model::Event;
use crate::store::{EventFilter, Store, StoreError};

/// Events that are read at a time.
const PORTION: u32 = 500;

/// How long a stream stays silent before it shows that it is alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How often the table is read when no bell rings: an event whose commit was not answered in time rings none.
const PERIOD: Duration = Duration::from_secs(10);

/// How long a database that is away is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// A stream of the events that match `filter`, from its `after` on.
pub(super) async fn follow(shared: &Shared, store: Store, filter: EventFilter) -> Result<Response, Fault> {
    let Ok(permit) = shared.streams.clone().try_acquire_owned() else {
        let detail = "too many streams of events are open; close one, or ask for the list";
        return Err(Fault::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-streams", detail));
    };
    // Before the table is read: what is committed in between rings.
    let bell = store.subscribe();
    let after = match filter.after {
        Some(after) => after,
        None => last_event(&store).await?,
    };
    let follower = Follower {
        store,
        bell,
        filter: EventFilter { after: Some(after), limit: Some(PORTION), ..filter },
        read: VecDeque::new(),
        draining: shared.draining.clone(),
        _permit: permit,
    };
    let messages = stream::unfold(follower, |mut follower| async move {
        let message = follower.next().await?;
        Some((Ok::<_, Infallible>(message), follower))
    });
    Ok(Sse::new(messages).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

async fn last_event(store: &Store) -> Result<i64, StoreError> {
    let last = EventFilter { latest: true, limit: Some(1), ..EventFilter::default() };
    Ok(store.events(last).await?.items.last().map_or(0, |event| event.id))
}

struct Follower {
    store: Store,
    bell: broadcast::Receiver<Event>,
    filter: EventFilter,
    read: VecDeque<Event>,
    draining: CancellationToken,
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    /// The next event; `None` when the daemon stops.
    async fn next(&mut self) -> Option<Message> {
        let draining = self.draining.clone();
        tokio::select! {
            () = draining.cancelled() => None,
            event = self.next_event() => Some(message(&event)),
        }
    }

    async fn next_event(&mut self) -> Event {
        loop {
            if let Some(event) = self.read.pop_front() {
                self.filter.after = Some(event.id);
                return event;
            }
            match self.store.events(self.filter.clone()).await {
                Ok(page) if page.items.is_empty() => self.wait().await,
                Ok(page) => self.read = page.items.into(),
                Err(error) => {
                    tracing::debug!(error = with_causes(&error), "a stream of events waits for the database");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Waits until the table may hold an event that was not read.
    async fn wait(&mut self) {
        let rung = async {
            loop {
                match self.bell.recv().await {
                    Ok(event) if !self.filter.matches(&event) => {}
                    Ok(_) | Err(RecvError::Lagged(_)) => return,
                    // The store was closed: the daemon stops.
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        // Without a ring it is time to look all the same.
        let _ = tokio::time::timeout(PERIOD, rung).await;
    }
}

fn message(event: &Event) -> Message {
    let message = Message::default().id(event.id.to_string()).event(event.kind.word());
    // An event is plain text and numbers, of which JSON can be made.
    message.json_data(event).unwrap_or_else(|_| Message::default().comment("an event that cannot be shown"))
}
