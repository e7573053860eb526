//! Instances that answer with their number, and clients.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet, spawn_local};

use crate::stage::{PLAIN, address};

/// An instance that serves on port 8081. Dropped, it is gone, with its connections.
pub(crate) struct Instance {
    serving: JoinHandle<()>,
}

impl Instance {
    /// Starts it. Requests for `/headers` are answered with the headers of the request, and an upgrade with an echo.
    pub(crate) async fn start(number: u8) -> Self {
        let listener = TcpListener::bind((address(number), 8081)).await.unwrap();
        let serving = spawn_local(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn_local(async move { drop(serve(stream, number).await) });
            }
        });
        Self { serving }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut stream: TcpStream, number: u8) -> io::Result<()> {
    let mut from = String::new();
    loop {
        let head = read_head(&mut stream).await?;
        if head == "\r\n\r\n" {
            from = read_proxy_header(&mut stream).await?;
            continue;
        }
        if head.to_ascii_lowercase().contains("upgrade: websocket") {
            let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
            stream.write_all(answer.as_bytes()).await?;
            let (mut from, mut to) = stream.split();
            tokio::io::copy(&mut from, &mut to).await?;
            return Ok(());
        }
        // A request is under way for a moment when its instance is to end.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let body = match head.starts_with("GET /headers ") {
            true => format!("{from}{head}"),
            false => number.to_string(),
        };
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await?;
    }
}

/// Reads the rest of a header of the PROXY protocol, version 2, after its first four bytes (proxy-protocol.txt of HAProxy,
/// section 2.2). Returns the address and the port of the source.
async fn read_proxy_header(stream: &mut TcpStream) -> io::Result<String> {
    let mut rest = [0; 12];
    stream.read_exact(&mut rest).await?;
    assert_eq!(&rest[..8], b"\0\r\nQUIT\n");
    let mut addresses = vec![0; usize::from(u16::from_be_bytes([rest[10], rest[11]]))];
    stream.read_exact(&mut addresses).await?;
    // A connection of a client, over TCP and IPv6.
    if (rest[8], rest[9]) != (0x21, 0x21) {
        return Ok("a check".to_owned());
    }
    let source = <[u8; 16]>::try_from(&addresses[..16]).unwrap();
    Ok(format!("proxied for {}; ", std::net::Ipv6Addr::from(source)))
}

/// Reads until the empty line after the headers.
async fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// A client's connection to the balancer.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    /// Whether the balancer closes the connection after the last answer.
    pub(crate) is_last: bool,
}

impl Client {
    pub(crate) async fn connect() -> io::Result<Self> {
        Ok(Self {
            stream: TcpStream::connect(PLAIN).await?,
            is_last: false,
        })
    }

    /// Asks for a path at a name, and returns the status and the body.
    pub(crate) async fn get(&mut self, host: &str, path: &str) -> io::Result<(u16, String)> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: ::dead\r\n\r\n");
        self.stream.write_all(request.as_bytes()).await?;
        let head = read_head(&mut self.stream).await?;
        self.is_last = head.to_ascii_lowercase().contains("\r\nconnection: close\r\n");
        let bad = || io::Error::other(head.clone());
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|word| word.parse().ok())
            .ok_or_else(bad)?;
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().ok())?
        });
        let mut body = vec![0; length.unwrap_or(0)];
        self.stream.read_exact(&mut body).await?;
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    }

    /// Opens a WebSocket, as far as a balancer sees of it.
    pub(crate) async fn upgrade(host: &str) -> io::Result<Self> {
        let mut client = Self::connect().await?;
        // The key and its answer are those of RFC 6455, section 1.3.
        let request = format!(
            "GET /socket HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        client.stream.write_all(request.as_bytes()).await?;
        let head = read_head(&mut client.stream).await?;
        match head.starts_with("HTTP/1.1 101") {
            true => Ok(client),
            false => Err(io::Error::other(head)),
        }
    }

    /// Sends some bytes through a WebSocket, and waits until they are back.
    pub(crate) async fn echo(&mut self) -> io::Result<()> {
        self.stream.write_all(b"ping").await?;
        let mut back = [0; 4];
        self.stream.read_exact(&mut back).await?;
        Ok(())
    }
}

/// One request with a connection of its own.
pub(crate) async fn get(host: &str, path: &str) -> (u16, String) {
    let mut client = Client::connect().await.unwrap();
    client.get(host, path).await.unwrap()
}

/// Clients that ask again and again: half of them on one connection, half on a new one each time.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    pub(crate) fn start(host: &'static str, clients: usize) -> Self {
        let (stop, requests) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let one = |number: usize| {
            let (stop, requests) = (stop.clone(), requests.clone());
            spawn_local(async move { ask_on(host, number.is_multiple_of(2), &stop, &requests).await })
        };
        Self {
            clients: (0..clients).map(one).collect(),
            stop,
            requests,
        }
    }

    /// Waits until as many requests more were answered.
    pub(crate) async fn answered(&self, more: u64) {
        let goal = self.requests.load(Ordering::Relaxed) + more;
        while self.requests.load(Ordering::Relaxed) < goal {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops, and returns how many requests were answered, and every failure.
    pub(crate) async fn stop(self) -> (u64, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for client in self.clients {
            failures.extend(client.await.unwrap());
        }
        (self.requests.load(Ordering::Relaxed), failures)
    }
}

async fn ask_on(host: &str, keeps: bool, stop: &AtomicBool, requests: &AtomicU64) -> Vec<String> {
    let (mut failures, mut kept) = (Vec::new(), None);
    while !stop.load(Ordering::Relaxed) {
        let outcome = async {
            let mut client = match kept.take() {
                Some(client) => client,
                None => Client::connect().await?,
            };
            let answer = client.get(host, "/").await?;
            Ok::<_, io::Error>((client, answer))
        };
        match outcome.await {
            Ok((client, (200, _))) => kept = (keeps && !client.is_last).then_some(client),
            Ok((_, (status, body))) => failures.push(format!("{status} {body}")),
            Err(fault) => failures.push(fault.to_string()),
        }
        requests.fetch_add(1, Ordering::Relaxed);
    }
    failures
}
