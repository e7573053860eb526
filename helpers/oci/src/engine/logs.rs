//! What a container wrote.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use orchestrator_plugin_oci::protocol::{FRAME_LIMIT, Fault, Frame, LogsRequest, Verb};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
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
        let mut written = Written::new(request.times);
        tokio::spawn(async move {
            if send(&sender, lines, &mut written).await.is_ok() && follow {
                followed(entry, position, sender, written).await;
            }
        });
        Ok(receiver)
    }
}

/// Sends what is written from now on, until the container ends.
async fn followed(entry: Arc<Entry>, position: log::Position, frames: mpsc::Sender<Bytes>, mut written: Written) {
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
            if send(&frames, lines, &mut written).await.is_err() {
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

/// Writes lines for a reader, with their times if it wants them.
struct Written {
    times: bool,
    /// Whether the last piece of the standard output, and of the standard error, ended its line.
    ended: [bool; 2],
}

impl Written {
    fn new(times: bool) -> Self {
        Self {
            times,
            ended: [true; 2],
        }
    }

    fn bytes(&mut self, line: Line) -> Vec<u8> {
        let ended = match line.source {
            Source::Stdout => &mut self.ended[0],
            Source::Stderr => &mut self.ended[1],
        };
        let begins = std::mem::replace(ended, line.ends_line);
        match begins && self.times {
            true => [moment(line.at).as_bytes(), b" ", &line.bytes()].concat(),
            false => line.bytes(),
        }
    }
}

/// A time since 1970 as RFC 3339 writes it, in UTC and with nanoseconds.
fn moment(since_1970: Duration) -> String {
    const FORM: &[BorrowedFormatItem<'static>] =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:9]Z");
    let nanoseconds = i128::try_from(since_1970.as_nanos()).unwrap_or_default();
    let moment = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    moment.format(FORM).unwrap_or_default()
}

async fn send(
    frames: &mpsc::Sender<Bytes>,
    lines: Vec<Line>,
    written: &mut Written,
) -> Result<(), mpsc::error::SendError<Bytes>> {
    for line in lines {
        let source = line.source;
        let bytes = Bytes::from(written.bytes(line));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_its_time_once_and_only_if_it_is_wanted() {
        let line = |text: &str, source, ends_line| Line {
            at: Duration::new(1_700_000_000, 7),
            source,
            ends_line,
            text: text.as_bytes().to_vec(),
        };
        let lines = || {
            [
                line("half ", Source::Stdout, false),
                line("other", Source::Stderr, true),
                line("line", Source::Stdout, true),
            ]
        };
        let all = |times| {
            let mut written = Written::new(times);
            let bytes: Vec<u8> = lines().into_iter().flat_map(|line| written.bytes(line)).collect();
            String::from_utf8(bytes).unwrap()
        };
        assert_eq!(all(false), "half other\nline\n");
        assert_eq!(
            all(true),
            "2023-11-14T22:13:20.000000007Z half 2023-11-14T22:13:20.000000007Z other\nline\n"
        );
    }
}
