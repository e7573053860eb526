//! Waits for changes of keys, and follows them.
//!
//! The table of events is authoritative; a committed event only serves as a notification. So no change is missed, even if a
//! notification is.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event as Message, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use orchestrator_model::{Event, EventKind, KvChange, KvPath};
use orchestrator_runtime::causes::with_causes;
use orchestrator_store::{Store, StoreError};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::answer::show_change;
use crate::connection::Connection;
use crate::problem::Fault;
use crate::routes::Shared;

/// How long to wait for a notification before the table is read.
const PERIOD: Duration = Duration::from_secs(10);
/// How long to wait before an unreachable database is asked again.
const PAUSE: Duration = Duration::from_secs(1);
/// Changes that are read at once.
const PAGE: u32 = 500;
/// How long a stream may be silent before a comment keeps it alive.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Waits until a key at or below the path has changed after `index`, at most for `limit`.
pub(super) async fn wait(
    shared: &Shared,
    store: &Store,
    path: &KvPath,
    index: i64,
    limit: Duration,
) -> Result<(), Fault> {
    let until = Instant::now() + limit;
    // Subscribe before the table is read, so that commits in between notify.
    let mut committed = store.subscribe();
    let mut after = index;
    loop {
        let found = store.kv_changes(path, after, 1).await?;
        if !found.is_complete || !found.changes.is_empty() {
            return Ok(());
        }
        after = found.index;
        let notified = tokio::select! {
            () = shared.draining.cancelled() => return Ok(()),
            notified = timeout_at(until, notification(&mut committed, path)) => notified,
        };
        if notified.is_err() {
            return Ok(());
        }
    }
}

/// Waits for the notification of a change at or below the path, or until the table is to be read for another reason.
async fn notification(committed: &mut Receiver<Event>, path: &KvPath) {
    let heard = async {
        loop {
            match committed.recv().await {
                Ok(event) if concerns(&event, path) => return,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return,
                // The store was closed: the daemon stops.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    };
    let _ = timeout(PERIOD, heard).await;
}

fn concerns(event: &Event, path: &KvPath) -> bool {
    let changed = matches!(event.kind, EventKind::KvSet | EventKind::KvRemoved);
    let of = event.detail.as_deref().filter(|_| changed);
    of.and_then(|of| of.parse().ok())
        .is_some_and(|of: KvPath| path.covers(&of))
}

/// A stream of the changes at and below the path after `after`, or from now on.
pub(super) async fn follow(
    shared: &Shared,
    connection: &Connection,
    store: Store,
    path: KvPath,
    after: Option<i64>,
) -> Result<Response, Fault> {
    let permits = shared.stream_permits(connection)?;
    let committed = store.subscribe();
    let after = match after {
        Some(after) => after,
        None => store.kv(&path).await?.index,
    };
    let follower = Follower {
        store,
        committed,
        path,
        after,
        read: VecDeque::new(),
        behind: true,
        draining: shared.draining.clone(),
        _permits: permits,
    };
    let messages = stream::unfold(follower, |mut follower| async move {
        let message = follower.next().await?;
        Some((Ok::<_, Infallible>(message), follower))
    });
    Ok(Sse::new(messages)
        .keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
        .into_response())
}

struct Follower {
    store: Store,
    committed: Receiver<Event>,
    path: KvPath,
    after: i64,
    read: VecDeque<KvChange>,
    behind: bool,
    draining: CancellationToken,
    _permits: [OwnedSemaphorePermit; 2],
}

impl Follower {
    /// The next message; `None` when the daemon stops.
    async fn next(&mut self) -> Option<Message> {
        let draining = self.draining.clone();
        tokio::select! {
            () = draining.cancelled() => None,
            message = self.next_message() => Some(message),
        }
    }

    async fn next_message(&mut self) -> Message {
        loop {
            if let Some(change) = self.read.pop_front() {
                return message(&change);
            }
            if !self.behind {
                notification(&mut self.committed, &self.path).await;
                self.behind = true;
            }
            match self.catch_up().await {
                Ok(true) => {}
                Ok(false) => return self.missed(),
                Err(error) => {
                    tracing::debug!(
                        error = with_causes(&error),
                        "a stream of changes waits for the database"
                    );
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Reads the changes after the last one. `false` if some of them are not in the timeline any more.
    async fn catch_up(&mut self) -> Result<bool, StoreError> {
        let found = self.store.kv_changes(&self.path, self.after, PAGE).await?;
        self.after = found.index;
        self.behind = found.changes.len() >= PAGE as usize;
        self.read = found.changes.into();
        Ok(found.is_complete)
    }

    /// Tells the reader that it has missed changes, and has to read the keys again.
    fn missed(&self) -> Message {
        let index = self.after.to_string();
        Message::default()
            .id(index.clone())
            .event("missed")
            .data(format!("{{\"index\":{index}}}"))
    }
}

fn message(change: &KvChange) -> Message {
    let kind = if change.removed { "removed" } else { "set" };
    let message = Message::default().id(change.version.to_string()).event(kind);
    // Text and numbers, of which JSON can be made.
    message
        .json_data(show_change(change))
        .unwrap_or_else(|_| Message::default().comment("a change that cannot be shown"))
}
