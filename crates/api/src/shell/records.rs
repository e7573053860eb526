//! What a line prints, as records that are sent while it runs.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, stream};
use orchestrator_api_types::ShellRecord;
use orchestrator_runtime::causes::with_causes;
use orchestrator_verbs::printable::printable;
use orchestrator_verbs::{Channel, Sink};
use tokio::sync::mpsc;

use crate::describe::{Operation, Output, Schemas};

/// The media type of the records: JSON, one on each line.
pub(crate) const RECORDS: &str = "application/x-ndjson";

/// Bytes that may wait for a reader. A line whose reader is slower than that ends.
const WAITING: usize = 16 << 20;

/// Takes what a line prints.
#[derive(Clone)]
pub(super) struct Printer {
    sender: mpsc::UnboundedSender<ShellRecord>,
    waiting: Arc<AtomicUsize>,
}

impl Printer {
    pub(super) fn new(sender: mpsc::UnboundedSender<ShellRecord>) -> Self {
        Self {
            sender,
            waiting: Arc::default(),
        }
    }

    pub(super) fn output(&self, text: &str) {
        // A reader that has gone reads nothing.
        let _ = self.send(Some(text.to_owned()), None);
    }

    pub(super) fn error(&self, text: &str) {
        let _ = self.send(None, Some(text.to_owned()));
    }

    /// Says why the line failed.
    pub(super) fn failed(&self, failure: &dyn Error) {
        self.error(&format!("orchestrator: {}\n", printable(&with_causes(failure))));
    }

    fn send(&self, output: Option<String>, error: Option<String>) -> io::Result<()> {
        let record = ShellRecord {
            output,
            error,
            exit_code: None,
        };
        let length = length_of(&record);
        let before = self.waiting.fetch_add(length, Ordering::Relaxed);
        if before.saturating_add(length) > WAITING {
            self.waiting.fetch_sub(length, Ordering::Relaxed);
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the reader is too slow"));
        }
        self.sender.send(record).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

/// The bytes of text in a record.
fn length_of(record: &ShellRecord) -> usize {
    let texts = [&record.output, &record.error];
    texts.into_iter().flatten().map(String::len).sum()
}

impl Sink for Printer {
    fn print(&mut self, lines: &str) -> io::Result<()> {
        self.send(Some(format!("{lines}\n")), None)
    }

    fn warn(&mut self, line: &str) {
        self.error(&format!("orchestrator: {line}\n"));
    }

    fn write(&mut self, to: Channel, bytes: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(bytes).into_owned();
        match to {
            Channel::Error => self.send(None, Some(text)),
            Channel::Output | Channel::Terminal => self.send(Some(text), None),
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
            waiting.fetch_sub(length_of(&record), Ordering::Relaxed);
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
}
