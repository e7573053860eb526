//! Reads Server-Sent Events from a stream of bytes.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::api::Stream;
use super::session::Session;

/// How long a stream may be silent. The daemon sends a comment every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);

/// The events of an answer that goes on.
pub(crate) struct Following {
    stream: Stream,
    events: Events,
}

/// What comes next.
pub(crate) enum Next {
    /// The `data` of events.
    Data(Vec<String>),
    /// The stream has ended.
    End,
    /// The stream has ended before its own end came, for a stream that has one.
    BrokeOff,
    /// The daemon said nothing for too long.
    Silent(Elapsed),
}

impl Following {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            events: Events::default(),
        }
    }

    /// The same for a stream that says when it is complete.
    pub(crate) async fn next_to_end(&mut self) -> Next {
        if self.events.has_ended() {
            return Next::End;
        }
        match self.next().await {
            Next::End => Next::BrokeOff,
            next => next,
        }
    }

    /// Waits for the next events; there may be none in what comes.
    pub(crate) async fn next(&mut self) -> Next {
        match timeout(SILENCE, self.stream.next()).await {
            Ok(Some(Ok(bytes))) => Next::Data(self.events.feed(&bytes)),
            // One that breaks off has ended.
            Ok(None | Some(Err(_))) => Next::End,
            Err(silence) => Next::Silent(silence),
        }
    }

    /// The same for a verb that asks again: `None` at the end, and after a silence, which is said.
    pub(crate) async fn next_or_again(&mut self, session: &mut Session<'_>) -> Option<Vec<String>> {
        match self.next().await {
            Next::Data(data) => Some(data),
            Next::End | Next::BrokeOff => None,
            Next::Silent(_) => {
                session.sink.warn("the daemon is silent; asking again");
                None
            }
        }
    }
}

/// The largest event that is read, in bytes. The daemon sends no larger one.
const LARGEST: usize = 1 << 20;

/// Takes bytes as they arrive, and returns events once they are complete.
///
/// It supports only what the daemon sends: `data` fields, and lines that end with a line feed. It skips other fields.
#[derive(Debug, Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    data: String,
    /// Whether the event is the one that ends a stream which has an end.
    is_end: bool,
    has_ended: bool,
}

impl Events {
    /// Whether the event `end` came: the stream is complete. A stream without an end of its own never has it.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// The `data` of every event that these bytes complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut complete = Vec::new();
        for byte in bytes {
            if *byte == b'\n' {
                complete.extend(self.end_line());
            } else if self.line.len() < LARGEST {
                self.line.push(*byte);
            }
        }
        complete
    }

    fn end_line(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches('\r');
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            if std::mem::take(&mut self.is_end) {
                self.has_ended = true;
                return None;
            }
            return (!data.is_empty()).then_some(data);
        }
        if let Some(kind) = line.strip_prefix("event:") {
            self.is_end = kind.trim_start() == "end";
        }
        if let Some(data) = line.strip_prefix("data:") {
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            if self.data.len() + data.len() < LARGEST {
                self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &[u8] =
        b": hello\n\nid: 7\nevent: x\ndata: {\"a\":1}\n\ndata:one\r\ndata: two\r\n\r\nretry: 5\n\ndata: cut";

    #[test]
    fn a_stream_is_complete_once_its_end_came() {
        let mut events = Events::default();
        assert_eq!(
            events.feed(b"event: line\ndata: one\n\nevent: end\ndata: {}\n"),
            ["one"]
        );
        assert!(!events.has_ended(), "the event is not complete");
        assert_eq!(events.feed(b"\n"), Vec::<String>::new());
        assert!(events.has_ended());
    }

    #[test]
    fn events_are_taken_out_of_the_stream() {
        assert_eq!(Events::default().feed(STREAM), ["{\"a\":1}", "one\ntwo"]);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_the_stream_is_cut(cuts in prop::collection::vec(1usize..9, 0..40)) {
            let mut events = Events::default();
            let (mut rest, mut complete) = (STREAM, Vec::new());
            for cut in cuts {
                let (piece, tail) = rest.split_at(cut.min(rest.len()));
                complete.extend(events.feed(piece));
                rest = tail;
            }
            complete.extend(events.feed(rest));
            prop_assert_eq!(complete, ["{\"a\":1}", "one\ntwo"]);
        }
    }
}
