//! What a container wrote.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use orchestrator_plugin_oci::protocol::{FRAME_LIMIT, Fault, Frame, LogsRequest, Verb};
use tokio::sync::{mpsc, watch};
use tracing::debug;

use super::entry::Now;
use super::{Entry, Helper, blocking};
use crate::log::{self, Entry as Line, Source};

/// Pieces that wait for the reader.
const WAITING: usize = 8;

impl Helper {
    /// The output of a container, as encoded frames.
    pub(crate) async fn logs(&self, request: &LogsRequest) -> Result<mpsc::Receiver<Bytes>, Fault> {
        let entry = self.existing(&request.of, Verb::ReadLog)?;
        // Asked before reading: what ends in between is read to its end.
        let is_over = !matches!(entry.now(), Now::Running(_));
        let wanted = log::Request {
            since: request.since.map(Duration::from_secs),
            tail: request.tail.map(|lines| usize::try_from(lines).unwrap_or(usize::MAX)),
        };
        let directory = entry.directory.logs();
        let read = move || log::read(&directory, wanted);
        let (lines, position) = blocking(Verb::ReadLog, &entry.record().name, read).await?;
        let (sender, receiver) = mpsc::channel(WAITING);
        let follow = request.follow && !is_over;
        tokio::spawn(async move {
            if send(&sender, lines).await.is_ok() && follow {
                followed(entry, position, sender).await;
            }
        });
        Ok(receiver)
    }
}

/// Sends what is written from now on, until the container ends.
async fn followed(entry: Arc<Entry>, position: log::Position, frames: mpsc::Sender<Bytes>) {
    let (over, ended) = watch::channel(false);
    let mut phases = entry.phases();
    let watching = async {
        let _ = phases.wait_for(|now| !matches!(now, Now::Running(_))).await;
        over.send_replace(true);
        std::future::pending::<()>().await;
    };
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let passing = async {
        while let Some(lines) = receiver.recv().await {
            if send(&frames, lines).await.is_err() {
                return;
            }
        }
    };
    let directory = entry.directory.logs();
    let following = async { tokio::join!(log::follow(&directory, position, ended, sender), passing).0 };
    tokio::select! {
        followed = following => if let Err(error) = followed {
            debug!(container = entry.record().name, %error, "a log cannot be followed any further");
        },
        () = watching => {}
        () = frames.closed() => {}
    }
}

async fn send(frames: &mpsc::Sender<Bytes>, lines: Vec<Line>) -> Result<(), mpsc::error::SendError<Bytes>> {
    for line in lines {
        let source = line.source;
        let bytes = Bytes::from(line.bytes());
        for start in (0..bytes.len()).step_by(FRAME_LIMIT) {
            let piece = bytes.slice(start..bytes.len().min(start + FRAME_LIMIT));
            let frame = match source {
                Source::Stdout => Frame::Stdout(piece),
                Source::Stderr => Frame::Stderr(piece),
            };
            frames.send(frame.encode()).await?;
        }
    }
    Ok(())
}
