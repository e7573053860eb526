//! As much of HTTP/1.1 as it takes to ask an engine, the daemon, or an instance something.

mod chunks;
mod events;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use self::chunks::Chunks;
pub use self::events::{Events, events};

/// A request's body and what it is.
#[derive(Clone, Copy)]
pub struct Body<'a> {
    /// Media type.
    pub kind: &'a str,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body as it came.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` when it is empty.
    ///
    /// # Errors
    ///
    /// When it is something else.
    pub fn json(&self) -> Result<Value> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.text()))
    }
}

/// Asks over a unix socket, with a time limit on each wait.
///
/// # Errors
///
/// When nobody listens, nobody answers in time, or what answers is not HTTP.
pub fn ask(socket: &Path, method: &str, path: &str, body: Option<Body<'_>>, limit: Duration) -> Result<Answer> {
    let asked = || format!("{method} {path} at {}", socket.display());
    exchange(connect(socket, limit).with_context(asked)?, method, path, body).with_context(asked)
}

/// Sends one request and reads the one answer.
pub(crate) fn exchange(
    mut stream: impl Read + Write,
    method: &str,
    path: &str,
    body: Option<Body<'_>>,
) -> Result<Answer> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n");
    if let Some(body) = body {
        head += &format!(
            "Content-Type: {}\r\nContent-Length: {}\r\n",
            body.kind,
            body.bytes.len()
        );
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    stream.write_all(body.map_or(&[], |body| body.bytes))?;

    let mut reader = BufReader::new(stream);
    let head = Head::read(&mut reader)?;
    let mut body = Vec::new();
    match head.length {
        _ if head.status == 204 || head.status == 304 => {}
        _ if head.chunked => _ = Chunks::new(reader).read_to_end(&mut body)?,
        Some(length) => _ = reader.take(length).read_to_end(&mut body)?,
        None => _ = reader.read_to_end(&mut body)?,
    }
    Ok(Answer {
        status: head.status,
        body,
    })
}

fn connect(socket: &Path, limit: Duration) -> Result<UnixStream> {
    let stream = UnixStream::connect(socket).with_context(|| format!("nobody listens on {}", socket.display()))?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    Ok(stream)
}

/// What a response's head says about its body.
struct Head {
    status: u16,
    chunked: bool,
    length: Option<u64>,
}

impl Head {
    fn read(reader: &mut impl BufRead) -> Result<Self> {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("not an HTTP status line: {line:?}"))?;
        let mut head = Self {
            status,
            chunked: false,
            length: None,
        };
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                return Ok(head);
            };
            match name.to_ascii_lowercase().as_str() {
                "transfer-encoding" => head.chunked = value.trim().eq_ignore_ascii_case("chunked"),
                "content-length" => head.length = Some(value.trim().parse().context("a length that is no number")?),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Cursor};

    /// Answers with what it was made with, whatever it is asked.
    struct Canned(Cursor<Vec<u8>>);

    impl Read for Canned {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Canned {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn answer(text: &str) -> Result<Answer> {
        exchange(Canned(Cursor::new(text.into())), "GET", "/", None)
    }

    #[test]
    fn a_body_ends_where_its_head_says() {
        let cases = [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhellothere",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\nhello",
        ];
        for case in cases {
            assert_eq!(
                answer(case).unwrap(),
                Answer {
                    status: 200,
                    body: b"hello".into()
                },
                "{case}"
            );
        }
    }

    #[test]
    fn what_is_cut_short_or_not_http_is_an_error() {
        for case in [
            "",
            "SSH-2.0-x\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe",
        ] {
            assert!(answer(case).is_err(), "{case}");
        }
    }
}
