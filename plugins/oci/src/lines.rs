//! Lines of JSON in a body that comes in pieces.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hyper::body::Incoming;
use orchestrator_plugin::EngineError;
use serde::de::DeserializeOwned;

use crate::connect::Connection;
use crate::streams::chunks;

/// The longest line in bytes.
const LONGEST_LINE: usize = 64 << 10;

/// The lines of a body.
pub(crate) struct Lines {
    chunks: Pin<Box<dyn Stream<Item = Result<Bytes, EngineError>> + Send>>,
    connection: Arc<Connection>,
    verb: &'static str,
    cut: Cut,
}

impl Lines {
    /// The lines of the answer to `verb`.
    pub(crate) fn new(connection: Arc<Connection>, verb: &'static str, body: Incoming) -> Self {
        Self {
            chunks: Box::pin(chunks(connection.clone(), body)),
            connection,
            verb,
            cut: Cut::default(),
        }
    }

    /// The next line, once it is whole.
    ///
    /// # Errors
    ///
    /// When the stream breaks or ends, or when the line is none of `T`.
    pub(crate) async fn next<T: DeserializeOwned>(&mut self) -> Result<T, EngineError> {
        let nonsense = |reason: &str| self.connection.nonsense(self.verb, reason.to_owned());
        loop {
            if let Some(line) = self.cut.whole.pop_front() {
                return serde_json::from_slice(&line).map_err(|error| nonsense(&error.to_string()));
            }
            let chunk = self.chunks.next().await.ok_or_else(|| nonsense("the stream ended"))??;
            self.cut.feed(&chunk).map_err(nonsense)?;
        }
    }
}

/// Cuts bytes into lines.
#[derive(Default)]
struct Cut {
    whole: VecDeque<Vec<u8>>,
    rest: Vec<u8>,
}

impl Cut {
    fn feed(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        for byte in bytes {
            match byte {
                b'\n' => self.whole.push_back(std::mem::take(&mut self.rest)),
                _ if self.rest.len() >= LONGEST_LINE => return Err("a line does not end"),
                other => self.rest.push(*other),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_wherever_the_bytes_were() {
        let mut cut = Cut::default();
        for piece in ["{\"a\"", ":1}\n{", "}\n\n"] {
            cut.feed(piece.as_bytes()).unwrap();
        }
        assert_eq!(cut.whole, [b"{\"a\":1}".to_vec(), b"{}".to_vec(), Vec::new()]);
        assert!(cut.feed(&vec![b'x'; LONGEST_LINE + 1]).is_err());
    }
}
