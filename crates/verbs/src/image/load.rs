//! Sends an archive to the daemon, piece by piece.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use orchestrator_api_types::Images;
use tokio::time::{MissedTickBehavior, interval};

use super::sum::amount;
use crate::api::Stream;
use crate::failure::Failure;
use crate::local::Input;
use crate::page;
use crate::session::Session;

/// The media type of archives.
const ARCHIVE: &str = "application/x-tar";

/// The time between two looks at how much is sent.
const PERIOD: Duration = Duration::from_millis(100);

/// Loads the images of a file. Returns them.
pub(super) async fn run(file: &str, path: &str, session: &mut Session<'_>) -> Result<Images, Failure> {
    let input = session.local.open(file).await.map_err(|source| Failure::Local {
        doing: "read",
        what: file.to_owned(),
        source,
    })?;
    let Input { length, pieces } = input;
    let sent = Arc::new(AtomicU64::new(0));
    let api = session.api;
    let mut uploading = Box::pin(api.upload(path, ARCHIVE, counted(pieces, &sent)));
    let mut looks = interval(PERIOD);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let answer = loop {
        tokio::select! {
            answer = &mut uploading => break answer,
            _ = looks.tick(), if session.sink.shows_progress() => {
                session.sink.progress(&so_far(sent.load(Ordering::Relaxed), length));
            }
        }
    };
    session.sink.progress("");
    page::parse(&answer?, "images")
}

/// Counts the bytes of the pieces when they are taken.
fn counted(pieces: Stream, sent: &Arc<AtomicU64>) -> Stream {
    let sent = sent.clone();
    Box::pin(pieces.inspect(move |piece| {
        let bytes = piece.as_ref().map_or(0, bytes::Bytes::len);
        sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }))
}

fn so_far(sent: u64, length: Option<u64>) -> String {
    match length {
        None => format!("sent {}", amount(sent)),
        Some(length) if sent >= length => "sent; the engine unpacks it".to_owned(),
        Some(length) => format!("sent {} of {}", amount(sent), amount(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_an_archive_is_shown_where_it_is_known() {
        assert_eq!(so_far(1024, None), "sent 1.0 KiB");
        assert_eq!(so_far(1024, Some(4096)), "sent 1.0 KiB of 4.0 KiB");
        assert_eq!(so_far(4096, Some(4096)), "sent; the engine unpacks it");
    }
}
