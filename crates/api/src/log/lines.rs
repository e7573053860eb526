//! Takes the output of a container apart into lines with their times.

use std::collections::VecDeque;

use futures_util::{StreamExt, stream};
use orchestrator_api_types::{LogLine, LogSource};
use orchestrator_model::{Output, OutputStream, Timestamp};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Lines, broken};

/// The largest line that is kept, in bytes. What follows in it is dropped.
const LONGEST: usize = 16 << 10;

/// A line that is not complete yet.
#[derive(Default)]
struct Begun(Vec<u8>);

impl Begun {
    /// Takes bytes, and returns the lines that they complete.
    fn take(&mut self, bytes: &[u8], complete: &mut Vec<Vec<u8>>) {
        let mut pieces = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            let room = LONGEST.saturating_sub(self.0.len());
            self.0.extend_from_slice(piece.get(..room).unwrap_or(piece));
            if pieces.peek().is_some() {
                complete.push(std::mem::take(&mut self.0));
            }
        }
    }
}

struct Reading {
    container: String,
    output: OutputStream,
    now: Box<dyn Fn() -> Timestamp + Send>,
    begun: [Begun; 2],
    ready: VecDeque<LogLine>,
    over: bool,
}

/// The lines of an output whose lines begin with their times. A line without a time has that of `now`.
pub(super) fn lines_of(container: String, output: OutputStream, now: impl Fn() -> Timestamp + Send + 'static) -> Lines {
    let reading = Reading {
        container,
        output,
        now: Box::new(now),
        begun: Default::default(),
        ready: VecDeque::new(),
        over: false,
    };
    Box::pin(stream::unfold(reading, |mut reading| async move {
        let line = reading.next().await?;
        Some((line, reading))
    }))
}

impl Reading {
    async fn next(&mut self) -> Option<LogLine> {
        loop {
            if let Some(line) = self.ready.pop_front() {
                return Some(line);
            }
            if self.over {
                return None;
            }
            match self.output.next().await {
                Some(Ok(piece)) => self.take(&piece),
                Some(Err(error)) => {
                    self.over = true;
                    return Some(broken(&self.container, (self.now)(), &error));
                }
                None => self.end(),
            }
        }
    }

    fn take(&mut self, piece: &Output) {
        let (source, begun) = match piece {
            Output::Stdout(_) => (LogSource::Stdout, &mut self.begun[0]),
            Output::Stderr(_) => (LogSource::Stderr, &mut self.begun[1]),
        };
        let mut complete = Vec::new();
        begun.take(piece.bytes(), &mut complete);
        for line in complete {
            self.keep(source, &line);
        }
    }

    /// What has no end of line is a line, too.
    fn end(&mut self) {
        self.over = true;
        let [out, err] = std::mem::take(&mut self.begun);
        for (source, Begun(rest)) in [(LogSource::Stdout, out), (LogSource::Stderr, err)] {
            if !rest.is_empty() {
                self.keep(source, &rest);
            }
        }
    }

    fn keep(&mut self, source: LogSource, line: &[u8]) {
        let text = String::from_utf8_lossy(line);
        let (at, line) = match dated(&text) {
            Some((at, line)) => (at, line),
            None => ((self.now)(), text.as_ref()),
        };
        self.ready.push_back(LogLine {
            at,
            container: self.container.clone(),
            source,
            line: line.trim_end_matches('\r').to_owned(),
            problem: None,
        });
    }
}

/// The time at the begin of a line, and what follows.
fn dated(line: &str) -> Option<(Timestamp, &str)> {
    let (time, rest) = line.split_once(' ').unwrap_or((line, ""));
    let moment = OffsetDateTime::parse(time, &Rfc3339).ok()?;
    let milliseconds = i64::try_from(moment.unix_timestamp_nanos() / 1_000_000).ok()?;
    Some((Timestamp(milliseconds), rest))
}

#[cfg(test)]
mod tests {
    use orchestrator_model::EngineError;

    use super::*;

    const NOW: Timestamp = Timestamp(7);

    async fn read(pieces: Vec<Result<Output, EngineError>>) -> Vec<LogLine> {
        let output = Box::pin(stream::iter(pieces));
        lines_of("main".to_owned(), output, || NOW).collect().await
    }

    #[tokio::test]
    async fn pieces_of_two_streams_are_lines_with_their_times() {
        let out = |text: &str| Ok(Output::Stdout(text.to_owned().into()));
        let err = |text: &str| Ok(Output::Stderr(text.to_owned().into()));
        let lines = read(vec![
            out("2023-11-14T22:13:20.5Z on"),
            err("2023-11-14T22:13:20.25Z warning\r\n2023-11-14T22:13:21Z "),
            out("e two\nnot dated\n"),
            err("end"),
        ])
        .await;
        let shown: Vec<_> = lines
            .iter()
            .map(|line| (line.at.0, line.source, line.line.as_str()))
            .collect();
        assert_eq!(
            shown,
            [
                (1_700_000_000_250, LogSource::Stderr, "warning"),
                (1_700_000_000_500, LogSource::Stdout, "one two"),
                (NOW.0, LogSource::Stdout, "not dated"),
                (1_700_000_001_000, LogSource::Stderr, "end"),
            ]
        );
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_bounded_and_a_break_is_said() {
        let long = vec![b'x'; LONGEST * 3];
        let fault = EngineError::Timeout {
            engine: "e".to_owned(),
            verb: "read",
            seconds: 1,
        };
        let lines = read(vec![
            Ok(Output::Stdout(long.clone().into())),
            Ok(Output::Stdout(long.into())),
            Ok(Output::Stdout("\n".into())),
            Err(fault),
        ])
        .await;
        assert_eq!(lines[0].line.len(), LONGEST);
        assert_eq!(lines[1].problem.as_ref().unwrap().code, "engine-timeout");
        assert_eq!(lines.len(), 2);
    }
}
