//! What a line prints, as records that are sent while it runs.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures_util::{Stream, StreamExt, stream};
use orchestrator_api_types::ShellRecord;
use orchestrator_runtime::causes::with_causes;
use orchestrator_verbs::printable::printable;
use orchestrator_verbs::{Channel, Sink};
use tokio::sync::{Notify, mpsc};

use crate::describe::{Operation, Output, Schemas};

/// The media type of the records: JSON, one on each line.
pub(crate) const RECORDS: &str = "application/x-ndjson";

/// Bytes that may wait for a reader. A line whose reader is slower than that ends.
const WAITING: usize = 16 << 20;

/// Bytes that may wait for a reader while a line that writes an archive goes on.
const ROOM: usize = 1 << 20;

/// Bytes of an archive in one record: a multiple of three, so that base64 needs no padding.
const PIECE: usize = 48 << 10;

/// What waits for the reader.
#[derive(Default)]
struct Waiting {
    bytes: AtomicUsize,
    taken: Notify,
}

impl Waiting {
    fn take(&self, length: usize) {
        self.bytes.fetch_sub(length, Ordering::Relaxed);
        self.taken.notify_waiters();
    }

    /// Waits until less than [`ROOM`] waits.
    async fn room(&self) {
        loop {
            let taken = self.taken.notified();
            if self.bytes.load(Ordering::Relaxed) < ROOM {
                return;
            }
            taken.await;
        }
    }
}

/// Takes what a line prints.
#[derive(Clone)]
pub(super) struct Printer {
    sender: mpsc::UnboundedSender<ShellRecord>,
    waiting: Arc<Waiting>,
    /// The last bytes of an archive that make no whole record yet.
    archive: Vec<u8>,
    /// The last bytes of standard output that make no whole character yet.
    output: Vec<u8>,
    /// The same of standard error.
    error: Vec<u8>,
}

impl Printer {
    pub(super) fn new(sender: mpsc::UnboundedSender<ShellRecord>) -> Self {
        Self {
            sender,
            waiting: Arc::default(),
            archive: Vec::new(),
            output: Vec::new(),
            error: Vec::new(),
        }
    }

    pub(super) fn output(&self, text: &str) {
        // A reader that has gone reads nothing.
        let _ = self.send(output(text));
    }

    pub(super) fn error(&self, text: &str) {
        let _ = self.send(error(text));
    }

    /// Says why the line failed.
    pub(super) fn failed(&self, failure: &dyn Error) {
        self.error(&format!("orchestrator: {}\n", printable(&with_causes(failure))));
    }

    /// Sends what is left of what the line wrote.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let Self {
            archive,
            output: out,
            error: err,
            ..
        } = self;
        let left = [
            (std::mem::take(archive), base64 as fn(&[u8]) -> ShellRecord),
            (std::mem::take(out), |rest| output(String::from_utf8_lossy(rest))),
            (std::mem::take(err), |rest| error(String::from_utf8_lossy(rest))),
        ];
        let mut left = left.iter().filter(|(rest, _)| !rest.is_empty());
        left.try_for_each(|(rest, record)| self.send(record(rest)))
    }

    /// Sends an archive in records without padding; what is left over waits for the next piece.
    fn archive(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.archive.extend_from_slice(bytes);
        let whole = self.archive.len() - self.archive.len() % PIECE;
        let rest = self.archive.split_off(whole);
        let pieces = std::mem::replace(&mut self.archive, rest);
        pieces.chunks(PIECE).try_for_each(|piece| self.send(base64(piece)))
    }

    fn send(&self, record: ShellRecord) -> io::Result<()> {
        let length = length_of(&record);
        let before = self.waiting.bytes.fetch_add(length, Ordering::Relaxed);
        if before.saturating_add(length) > WAITING {
            self.waiting.take(length);
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the reader is too slow"));
        }
        self.sender.send(record).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// The text of bytes behind what was left over before. A character that is not whole is left over for the next ones.
fn text_of(left: &mut Vec<u8>, bytes: &[u8]) -> String {
    left.extend_from_slice(bytes);
    let last = left.utf8_chunks().last().map_or(&[][..], |chunk| chunk.invalid());
    let is_begun = std::str::from_utf8(last).is_err_and(|fault| fault.error_len().is_none());
    let whole = if is_begun { left.len() - last.len() } else { left.len() };
    let rest = left.split_off(whole);
    String::from_utf8_lossy(&std::mem::replace(left, rest)).into_owned()
}

fn output(text: impl Into<String>) -> ShellRecord {
    ShellRecord {
        output: Some(text.into()),
        ..ShellRecord::default()
    }
}

fn error(text: impl Into<String>) -> ShellRecord {
    ShellRecord {
        error: Some(text.into()),
        ..ShellRecord::default()
    }
}

fn base64(bytes: &[u8]) -> ShellRecord {
    ShellRecord {
        base64: Some(BASE64_STANDARD.encode(bytes)),
        ..ShellRecord::default()
    }
}

/// The bytes of text in a record.
fn length_of(record: &ShellRecord) -> usize {
    let texts = [&record.output, &record.base64, &record.error];
    texts.into_iter().flatten().map(String::len).sum()
}

#[async_trait]
impl Sink for Printer {
    fn print(&mut self, lines: &str) -> io::Result<()> {
        self.write(Channel::Output, format!("{lines}\n").as_bytes())
    }

    fn warn(&mut self, line: &str) {
        self.error(&format!("orchestrator: {line}\n"));
    }

    async fn ready(&mut self) {
        self.waiting.room().await;
    }

    fn write(&mut self, to: Channel, bytes: &[u8]) -> io::Result<()> {
        let record = match to {
            Channel::Bytes => return self.archive(bytes),
            Channel::Error => error(text_of(&mut self.error, bytes)),
            Channel::Output | Channel::Terminal => output(text_of(&mut self.output, bytes)),
        };
        match length_of(&record) {
            0 => Ok(()),
            _ => self.send(record),
        }
    }
}

/// The records of a line. The line runs while they are read, and ends when they are not read any more.
pub(crate) struct Records(Pin<Box<dyn Stream<Item = Bytes> + Send>>);

impl Records {
    /// The records of a line that prints by `printer`.
    pub(super) fn new(
        printer: &Printer,
        receiver: mpsc::UnboundedReceiver<ShellRecord>,
        work: impl Future<Output = u8> + Send + 'static,
    ) -> Self {
        let state = (receiver, Some(Box::pin(work)), None);
        let records = stream::unfold(state, |(mut receiver, mut work, mut code)| async move {
            while let Some(under_way) = &mut work {
                tokio::select! {
                    biased;
                    Some(record) = receiver.recv() => return Some((record, (receiver, work, code))),
                    ended = under_way => {
                        code = Some(ended);
                        work = None;
                        // Records that were sent are still received. Nothing else is awaited, although others hold a sender.
                        receiver.close();
                    }
                }
            }
            let last = |code: u8| ShellRecord {
                exit_code: Some(code),
                ..ShellRecord::default()
            };
            let record = receiver.recv().await.or_else(|| code.take().map(last))?;
            Some((record, (receiver, work, code)))
        });
        let waiting = printer.waiting.clone();
        Self(Box::pin(records.map(move |record| {
            waiting.take(length_of(&record));
            // Plain text and numbers, of which JSON can be made.
            let mut line = serde_json::to_vec(&record).unwrap_or_default();
            line.push(b'\n');
            Bytes::from(line)
        })))
    }
}

impl IntoResponse for Records {
    fn into_response(self) -> Response {
        let records = self.0.map(Ok::<_, Infallible>);
        ([(header::CONTENT_TYPE, RECORDS)], Body::from_stream(records)).into_response()
    }
}

impl Output for Records {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let record = schemas.given::<ShellRecord>().into();
        operation.answers(StatusCode::OK, RECORDS, record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_that_was_printed_comes_before_the_exit_code() {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut printer = Printer::new(sender);
        let own = printer.clone();
        let work = async move {
            printer.print("one").unwrap();
            tokio::task::yield_now().await;
            printer.warn("two");
            3
        };
        let records: Vec<Bytes> = Records::new(&own, receiver, work).0.collect().await;
        let text = String::from_utf8(records.concat()).unwrap();
        assert_eq!(
            text,
            "{\"output\":\"one\\n\"}\n{\"error\":\"orchestrator: two\\n\"}\n{\"exit_code\":3}\n"
        );
    }

    #[tokio::test]
    async fn a_character_that_comes_in_two_pieces_is_one() {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut printer = Printer::new(sender);
        let own = printer.clone();
        let work = async move {
            let bytes = "grün 日\n".as_bytes();
            for piece in bytes.chunks(1).chain([&b"\xff.\xe6\x97"[..]]) {
                printer.write(Channel::Output, piece).unwrap();
                printer.write(Channel::Error, piece).unwrap();
            }
            printer.end().unwrap();
            0
        };
        let records: Vec<Bytes> = Records::new(&own, receiver, work).0.collect().await;
        let (mut out, mut err) = (String::new(), String::new());
        for record in records {
            let record: ShellRecord = serde_json::from_slice(&record).unwrap();
            out.push_str(&record.output.unwrap_or_default());
            err.push_str(&record.error.unwrap_or_default());
        }
        assert_eq!(out, "grün 日\n\u{fffd}.\u{fffd}");
        assert_eq!(err, out);
    }

    #[tokio::test]
    async fn a_reader_that_does_not_read_costs_a_bounded_amount() {
        let (sender, _receiver) = mpsc::unbounded_channel();
        let mut printer = Printer::new(sender);
        let piece = "x".repeat(1 << 20);
        let printed = (0..100).take_while(|_| printer.print(&piece).is_ok()).count();
        assert!(printed < 17, "{printed}");
    }

    #[tokio::test]
    async fn a_reader_that_reads_gets_any_amount() {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut printer = Printer::new(sender);
        let own = printer.clone();
        let work = async move {
            let piece = "x".repeat(1 << 20);
            for _ in 0..40 {
                printer.print(&piece).unwrap();
                tokio::task::yield_now().await;
            }
            0
        };
        let mut records = Records::new(&own, receiver, work).0;
        let mut count = 0;
        while records.next().await.is_some() {
            count += 1;
        }
        assert_eq!(count, 41, "all pieces, and the exit code");
    }

    #[tokio::test]
    async fn an_archive_is_one_text_in_base64_and_waits_for_its_reader() {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut printer = Printer::new(sender);
        let own = printer.clone();
        let archive: Vec<u8> = (0..40_000_000_u32).map(|n| (n % 251) as u8).collect();
        let written = archive.clone();
        let work = async move {
            for piece in written.chunks(100_001) {
                printer.ready().await;
                assert!(printer.waiting.bytes.load(Ordering::Relaxed) < ROOM);
                printer.write(Channel::Bytes, piece).unwrap();
            }
            printer.end().unwrap();
            0
        };
        let mut records = Records::new(&own, receiver, work).0;
        let mut text = String::new();
        while let Some(record) = records.next().await {
            let record: ShellRecord = serde_json::from_slice(&record).unwrap();
            text.push_str(&record.base64.unwrap_or_default());
        }
        assert!(BASE64_STANDARD.decode(text).unwrap() == archive, "another archive came");
    }
}
