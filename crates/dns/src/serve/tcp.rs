//! Queries by TCP (RFC 7766): several on one connection, one after another.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Shared;
use super::shares::Shares;
use crate::{Answer, Transport, answer};

/// Simultaneous connections, and those of one peer.
const CONNECTIONS: usize = 128;
const CONNECTIONS_EACH: usize = 8;
/// How long a client may take for its next query, from its first byte to its last, and for reading a response.
const STEP: Duration = Duration::from_secs(5);
/// How long a connection may last.
const WHOLE: Duration = Duration::from_secs(60);
/// The largest query, in bytes.
const LARGEST: usize = 2048;
/// The wait before accepting again, after the operating system had no room for a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that answers connections.
pub(super) struct TcpFace {
    listener: TcpListener,
    shared: Arc<Shared>,
    shares: Shares,
}

impl TcpFace {
    pub(super) fn new(listener: std::net::TcpListener, shared: Arc<Shared>) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::from_std(listener)?,
            shared,
            shares: Shares::new(CONNECTIONS, CONNECTIONS_EACH),
        })
    }

    pub(super) async fn run(self, stop: &CancellationToken, tasks: &TaskTracker) {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, SocketAddr::V6(peer))) => self.serve(stream, peer, stop, tasks),
                Ok(_) => {}
                Err(fault) => {
                    tracing::debug!(%fault, "cannot accept DNS connections");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn serve(
        &self,
        stream: tokio::net::TcpStream,
        peer: std::net::SocketAddrV6,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) {
        let (shared, source) = (self.shared.clone(), *peer.ip());
        // Closed at once: the peer sees that it was not served.
        if !shared.place.serves(source) {
            return shared.metrics.dns_dropped(["stranger"]);
        }
        let Some(share) = self.shares.take(shared.place.share(source)) else {
            return shared.metrics.dns_dropped(["full"]);
        };
        let stop = stop.clone();
        tasks.spawn(async move {
            let served = timeout(WHOLE, serve(stream, source, &shared));
            tokio::select! {
                () = stop.cancelled() => {}
                served = served => if let Err(word) = served.unwrap_or(Err("slow")) {
                    shared.metrics.dns_dropped([word]);
                },
            }
            drop(share);
        });
    }
}

/// Answers one query after another. The error is a word for a counter.
pub(super) async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    source: std::net::Ipv6Addr,
    shared: &Shared,
) -> Result<(), &'static str> {
    while let Some(query) = read(&mut stream).await? {
        shared.admission.admit(source)?;
        let names = shared.names.borrow().clone();
        let (bytes, word) = match (answer(&names, &query, Transport::Tcp, shared.turn()), &shared.forwarder) {
            (Answer::Response(bytes, outcome), _) => (bytes, outcome.word()),
            (Answer::Elsewhere(refused), Some(forwarder)) => {
                let share = shared.place.share(source);
                (forwarder.ask(share, query, refused, Transport::Tcp).await, "forwarded")
            }
            (Answer::Elsewhere(refused), None) => (refused, "refused"),
            (Answer::Nothing, _) => return Err("no-query"),
        };
        shared.metrics.dns_answered("tcp", [word]);
        write(&mut stream, &bytes).await?;
    }
    Ok(())
}

/// Reads a query; `None` at the end of the connection.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Vec<u8>>, &'static str> {
    let read = async {
        let mut length = [0; 2];
        match stream.read_exact(&mut length).await {
            Ok(_) => {}
            Err(fault) if fault.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(_) => return Err("broken"),
        }
        let length = usize::from(u16::from_be_bytes(length));
        if length > LARGEST {
            return Err("too-long");
        }
        let mut query = vec![0; length];
        stream.read_exact(&mut query).await.map_err(|_| "broken")?;
        Ok(Some(query))
    };
    // A client that has nothing more to ask is not slow.
    timeout(STEP, read).await.unwrap_or(Err("slow"))
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), &'static str> {
    let Ok(length) = u16::try_from(bytes.len()) else {
        return Err("broken");
    };
    // One segment: some clients read no more than what comes first.
    let whole = [&length.to_be_bytes(), bytes].concat();
    match timeout(STEP, stream.write_all(&whole)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("broken"),
        Err(_late) => Err("slow"),
    }
}
