//! A listening socket on one bridge, and its connections.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::Duration;

use ipnet::Ipv6Net;
use orchestrator_runtime::metrics::Metrics;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::places::Places;
use super::{Face, Limits, Tls, connection, share_of};
use crate::Source;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;
/// The wait before accepting again, after the operating system had no room for a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The link. Its bridge has the same name.
    pub link: String,
    /// Number of the bridge: a bridge that is made again has another one, and needs another socket.
    pub index: u32,
    /// The link's prefix.
    pub prefix: Ipv6Net,
    /// The address.
    pub address: Ipv6Addr,
    /// The TCP port.
    pub port: u16,
}

/// A listening socket on one bridge.
pub struct Listener {
    socket: TcpListener,
    place: Place,
    limits: Limits,
    metrics: Metrics,
    tls: Option<Tls>,
}

impl Listener {
    /// Listens at an address on a bridge, and on no other interface. The bridge may be without the address for a moment.
    ///
    /// # Errors
    ///
    /// When the bridge is gone, or another program listens there.
    pub fn open(place: &Place, metrics: &Metrics) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV6, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        socket.set_only_v6(true)?;
        socket.set_reuse_address(true)?;
        socket.bind_device(Some(place.link.as_bytes()))?;
        socket.set_freebind_v6(true)?;
        socket.bind(&SocketAddr::from((place.address, place.port)).into())?;
        socket.listen(BACKLOG)?;
        Self::of(socket.into(), place, metrics)
    }

    /// Uses a socket that listens already, with the limits of every listener.
    ///
    /// # Errors
    ///
    /// When the runtime cannot watch the socket.
    pub fn of(socket: std::net::TcpListener, place: &Place, metrics: &Metrics) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: TcpListener::from_std(socket)?,
            place: place.clone(),
            limits: Limits::default(),
            metrics: metrics.clone(),
            tls: None,
        })
    }

    /// The same by HTTPS.
    #[must_use]
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves connections until it is to stop. Those that are under way end by their time limits.
    pub async fn run(self, face: Arc<dyn Face>, stop: CancellationToken) {
        let (places, tasks) = (Places::default(), TaskTracker::new());
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, SocketAddr::V6(peer))) => self.serve(stream, peer, &places, &tasks, &face),
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(link = self.place.link, %error, "no connection could be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        // The address is free for another socket while connections end.
        drop(self.socket);
        tasks.close();
        tasks.wait().await;
    }

    fn serve(&self, stream: TcpStream, peer: SocketAddrV6, places: &Places, tasks: &TaskTracker, face: &Arc<dyn Face>) {
        let taken = match places.take(share_of(*peer.ip(), self.place.prefix), &self.limits) {
            Ok(taken) => taken,
            // Closed at once: the peer sees that it was not served.
            Err(full) => return self.metrics.portal_connection_refused(full.word()),
        };
        let source = Source {
            link: self.place.link.clone(),
            address: *peer.ip(),
        };
        let (face, limits, metrics) = (face.clone(), self.limits, self.metrics.clone());
        let tls = self.tls.clone();
        tasks.spawn(async move {
            match tls {
                None => connection::serve(stream, source, face, limits, &metrics).await,
                Some(tls) => match tokio::time::timeout(limits.head, tls.accept(stream)).await {
                    Ok(Ok(stream)) => connection::serve(stream, source, face, limits, &metrics).await,
                    Ok(Err(_)) => metrics.portal_connection_refused("broken"),
                    Err(_late) => metrics.portal_connection_refused("slow"),
                },
            }
            drop(taken);
        });
    }
}
