//! A web server of few words, for instances: every page is one line, and a WebSocket sends back what it gets.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::tunnel::ACCEPT;

/// Serves this line on a port, until the process ends.
///
/// # Errors
///
/// When the port cannot be had.
pub fn serve_line(port: u16, line: &str) -> io::Result<()> {
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{line}\n", line.len() + 1);
    let server = Arc::new(Server {
        listener: TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))?,
        answer,
        waiting: AtomicUsize::new(0),
    });
    server.work()
}

/// A server whose threads take one connection after the other: to start a thread costs more than to answer a request.
struct Server {
    listener: TcpListener,
    answer: String,
    /// Threads that wait for a connection.
    waiting: AtomicUsize,
}

impl Server {
    /// Serves connections until there can be no more.
    fn work(self: &Arc<Self>) -> io::Result<()> {
        loop {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let accepted = self.listener.accept();
            let is_last = self.waiting.fetch_sub(1, Ordering::SeqCst) == 1;
            let (stream, _) = accepted?;
            if is_last {
                let server = self.clone();
                thread::spawn(move || server.work());
            }
            // A client that goes away ends its own connection only.
            let _ = serve(stream, &self.answer);
        }
    }
}

fn serve(stream: TcpStream, answer: &str) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    let mut is_tunnel = false;
    while stream.read_line(&mut line)? > 0 {
        is_tunnel |= line.trim_end().eq_ignore_ascii_case("upgrade: websocket");
        let is_end = line == "\r\n";
        line.clear();
        if !is_end {
            continue;
        }
        if is_tunnel {
            return echo(stream);
        }
        stream.get_mut().write_all(answer.as_bytes())?;
    }
    Ok(())
}

fn echo(mut stream: BufReader<TcpStream>) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    );
    stream.get_mut().write_all(head.as_bytes())?;
    let mut to = stream.get_ref().try_clone()?;
    io::copy(&mut stream, &mut to).map(drop)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_page_is_one_line_and_a_websocket_sends_back() {
        let listener = TcpListener::bind("[::1]:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = thread::spawn(move || {
            for _ in 0..2 {
                let (stream, _) = listener.accept().unwrap();
                serve(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx\n").unwrap();
            }
        });
        let mut page = TcpStream::connect(address).unwrap();
        page.write_all(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n").unwrap();
        let mut both = [0; 2 * 40];
        page.read_exact(&mut both).unwrap();
        assert!(both.ends_with(b"\r\n\r\nx\n"));
        drop(page);
        let mut tunnel = TcpStream::connect(address).unwrap();
        tunnel
            .write_all(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
            .unwrap();
        tunnel.write_all(b"ping").unwrap();
        tunnel.shutdown(std::net::Shutdown::Write).unwrap();
        let mut all = String::new();
        tunnel.read_to_string(&mut all).unwrap();
        assert!(
            all.starts_with("HTTP/1.1 101") && all.ends_with("\r\n\r\nping"),
            "{all}"
        );
        serving.join().unwrap();
    }
}
