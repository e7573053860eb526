//! WebSockets through a balancer, as far as a balancer sees of them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::Namespace;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The key of RFC 6455, section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The answer to that key.
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// An open WebSocket to something that sends back what it gets.
pub struct Tunnel {
    stream: BufReader<TcpStream>,
}

impl Tunnel {
    /// Opens one from a namespace.
    ///
    /// # Errors
    ///
    /// When nobody answers, or not with a WebSocket.
    pub fn open(from: &Namespace, to: SocketAddr, host: &str) -> Result<Self> {
        let stream = from.once_routed(PATIENCE, || TcpStream::connect_timeout(&to, PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut stream = BufReader::new(stream);
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        stream.get_mut().write_all(request.as_bytes())?;
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            ensure!(stream.read_line(&mut head)? > 0, "the answer is cut: {head}");
        }
        ensure!(head.starts_with("HTTP/1.1 101"), "no WebSocket: {head}");
        Ok(Self { stream })
    }

    /// Sends some bytes, and waits until they are back.
    ///
    /// # Errors
    ///
    /// When it is closed, or nothing comes back.
    pub fn echo(&mut self) -> Result<()> {
        self.stream.get_mut().write_all(b"ping")?;
        let mut back = [0; 4];
        self.stream.read_exact(&mut back)?;
        ensure!(&back == b"ping", "something else came back");
        Ok(())
    }
}
