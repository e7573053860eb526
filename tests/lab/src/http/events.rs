//! Server-sent events.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::chunks::Chunks;
use super::{Head, connect};

/// Opens a stream of server-sent events over a unix socket: a line comes back at a time.
///
/// # Errors
///
/// When nobody listens, or the answer is not a stream.
pub fn events(socket: &Path, path: &str, limit: Duration) -> Result<Events> {
    let mut stream = connect(socket, limit)?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: lab\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n"
    )?;
    let mut reader = BufReader::new(stream);
    let head = Head::read(&mut reader)?;
    if head.status != 200 {
        bail!("GET {path} at {}: status {}", socket.display(), head.status);
    }
    let source: Box<dyn Read + Send> = if head.chunked {
        Box::new(Chunks::new(reader))
    } else {
        Box::new(reader)
    };
    Ok(Events {
        lines: BufReader::new(source),
    })
}

/// Server-sent events as they come.
pub struct Events {
    lines: BufReader<Box<dyn Read + Send>>,
}

impl Iterator for Events {
    type Item = Result<Value>;

    /// The next event's data; ends with the stream, or with an error when none came in time.
    fn next(&mut self) -> Option<Self::Item> {
        let mut line = String::new();
        loop {
            line.clear();
            match self.lines.read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(fault) => return Some(Err(fault).context("the stream of events broke")),
            }
            if let Some(data) = line.strip_prefix("data:") {
                return Some(serde_json::from_str(data.trim()).with_context(|| format!("not JSON: {data}")));
            }
        }
    }
}
