//! The server: it listens, serves and drains.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::App;
use super::connection::{self, Common, Connection};
use super::credentials::Keeper;
use super::listener::{Accepted, BindError, Listener, Stream};
use super::passage::{Face, Passage};
use super::peer::{Admission, Peer, Standing};
use super::places::{Capacity, Place, Places, share_of};
use super::routes::{self, Shared};
use super::tls::ServerIdentity;
use orchestrator_runtime::access::{Access, OPEN_TO_ALL};
use orchestrator_runtime::metrics::Metrics;
use orchestrator_settings::{ApiSettings, Listen};

/// How long to wait before accepting again, after the operating system had no room for a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// The limits of one listener. Each listener has its own, so that a crowd on one does not block the others.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Simultaneous connections, of which one peer may have three quarters. To accept more, the daemon closes
    /// connections that make it wait.
    pub connections: usize,
    /// Further connections that may ask for health and readiness only, and as many again that are refused everything.
    pub reserved: usize,
    /// Requests that are answered at the same time, of which one peer may have three quarters. Others wait for their
    /// turn.
    pub requests: usize,
    /// Simultaneous streams of events, of which one peer may have three quarters. Others are refused.
    pub streams: usize,
    /// The time limit for a head, from the begin of the connection or the end of the request before.
    pub head: Duration,
    /// The time limit for a body, from the end of its head.
    pub body: Duration,
    /// How long a reader may leave an answer unread.
    pub stall: Duration,
    /// How long requests may take to end when the daemon stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            reserved: 16,
            requests: 16,
            streams: 64,
            head: Duration::from_secs(10),
            body: Duration::from_secs(5),
            stall: Duration::from_secs(20),
            drain: Duration::from_secs(3),
        }
    }
}

/// The API on its sockets.
pub struct Server {
    listeners: Vec<Listener>,
    access: Arc<Access>,
    app: App,
    limits: Limits,
}

impl Server {
    /// Listens at every configured address and path. Requests are answered only once [`run`](Self::run) is called.
    ///
    /// The socket file of a daemon that does not run any more is replaced. The log says who may use the API.
    ///
    /// # Errors
    ///
    /// When one of them cannot be listened on. Then none is.
    pub async fn bind(settings: &ApiSettings, app: App) -> Result<Self, BindError> {
        Self::with_limits(settings, app, Limits::default()).await
    }

    /// [`bind`](Self::bind) with other limits.
    ///
    /// # Errors
    ///
    /// As for [`bind`](Self::bind).
    pub async fn with_limits(settings: &ApiSettings, app: App, limits: Limits) -> Result<Self, BindError> {
        let access = Arc::new(Access::of(&settings.group));
        let mut listeners = Vec::with_capacity(settings.listen.len());
        for listen in &settings.listen {
            listeners.push(Listener::bind(listen, &access).await?);
            match listen {
                Listen::Unix(_) => tracing::info!(%listen, "the API is {}", access.describe_socket()),
                Listen::Tcp(_) => tracing::warn!(%listen, "the API is {OPEN_TO_ALL}"),
                Listen::Tls(_) => tracing::info!(%listen, "the API is open to whoever has a token"),
            }
        }
        Ok(Self {
            listeners,
            access,
            app,
            limits,
        })
    }

    /// The addresses and paths, with the ports that were chosen for port 0.
    ///
    /// # Errors
    ///
    /// When the operating system cannot tell.
    pub fn places(&self) -> io::Result<Vec<Listen>> {
        self.listeners.iter().map(Listener::place).collect()
    }

    /// Serves until `stop` is cancelled. Then it lets requests end, and ends streams of events.
    pub async fn run(self, stop: CancellationToken) {
        let Self {
            listeners,
            access,
            app,
            limits,
        } = self;
        let draining = CancellationToken::new();
        let connections = TaskTracker::new();
        let accepting = TaskTracker::new();
        for listener in listeners {
            let common = Common {
                routes: routes(&listener, &access, &app, limits, &draining),
                limits,
                draining: draining.clone(),
                metrics: app.metrics.clone(),
            };
            let door = Door {
                common,
                access: access.clone(),
                rooms: Rooms::new(limits),
                identity: app.identity.clone(),
                connections: connections.clone(),
            };
            accepting.spawn(door.accept(listener, stop.clone()));
        }
        accepting.close();
        accepting.wait().await;
        draining.cancel();
        connections.close();
        if tokio::time::timeout(limits.drain, connections.wait()).await.is_err() {
            tracing::warn!(left = connections.len(), "requests to the API had not ended in time");
        }
    }
}

fn routes(
    listener: &Listener,
    access: &Arc<Access>,
    app: &App,
    limits: Limits,
    draining: &CancellationToken,
) -> Router {
    let shared = Shared {
        app: app.clone(),
        draining: draining.clone(),
        streams: Arc::new(Semaphore::new(limits.streams)),
        leaves_some: false,
    };
    let passage = Passage {
        face: match listener {
            Listener::Unix { .. } => Face::Unix,
            Listener::Tcp(_) => Face::Tcp,
            Listener::Tls(_) => Face::Tls,
        },
        access: access.clone(),
        requests: Arc::new(Semaphore::new(limits.requests)),
        body: limits.body,
        metrics: app.metrics.clone(),
        keeper: keeper(app),
    };
    routes::build(&shared, passage)
}

/// Finds the tokens through the daemon, once they are there.
fn keeper(app: &App) -> Keeper {
    let control = app.control.clone();
    Arc::new(move || Ok((control.tokens()?, control.now())))
}

/// The places of one listener, grouped by what their connections may ask for.
struct Rooms {
    full: Places,
    probes: Places,
    strangers: Places,
}

impl Rooms {
    fn new(limits: Limits) -> Self {
        let capacity = |connections| Capacity {
            connections,
            requests: limits.requests,
            streams: limits.streams,
        };
        let small = || Places::new(capacity(limits.reserved), limits.reserved);
        Self {
            full: Places::new(capacity(limits.connections), share_of(limits.connections)),
            probes: small(),
            strangers: small(),
        }
    }
}

/// The accepting side of one listener.
struct Door {
    common: Common,
    access: Arc<Access>,
    rooms: Rooms,
    connections: TaskTracker,
    identity: ServerIdentity,
}

impl Door {
    /// Accepts connections until the daemon stops. Then it closes the socket and removes its file.
    async fn accept(self, listener: Listener, stop: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept(&self.access) => accepted,
            };
            match accepted {
                Ok(accepted) => self.let_in(accepted).await,
                // A peer that hangs up before it is accepted must not delay others.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // Out of file descriptors, most likely: connections end, and then there are some again.
                    if let Some(held_back) = self.metrics().log_limit().admit("api-unaccepted") {
                        tracing::warn!(%error, held_back, "the API could not accept a connection");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn let_in(&self, accepted: Accepted) {
        let Accepted {
            stream,
            peer,
            admission,
        } = accepted;
        let Some((place, standing)) = self.find_place(peer, admission).await else {
            self.metrics().api_connection_closed("no-place");
            return;
        };
        match stream {
            Stream::Unix(stream) => self.serve(stream, place, (peer, standing)),
            Stream::Tcp(stream) => self.serve(stream, place, (peer, standing)),
            Stream::Tls(stream) => self.serve_tls(stream, place, (peer, standing)),
        }
    }

    /// Finds a place for a connection, and what it may ask for. If another connection is closed for it, this waits
    /// until that one is gone.
    async fn find_place(&self, peer: Peer, admission: Admission) -> Option<(Place, Standing)> {
        let uid = match peer {
            Peer::Process { uid, .. } => uid,
            Peer::Host(_) => 0,
        };
        let (entry, standing) = match admission {
            Admission::As(role) => {
                let full = self.rooms.full.enter(peer).map(|entry| (entry, Standing::Full(role)));
                full.or_else(|| Some((self.rooms.probes.enter(peer)?, Standing::ProbesOnly(role))))?
            }
            // Without a token it may not even ask for health: there is no place for it but a full one.
            Admission::ByToken => (self.rooms.full.enter(peer)?, Standing::ByToken),
            Admission::Stranger => (self.rooms.strangers.enter(peer)?, Standing::Stranger { uid }),
        };
        if let Some(gone) = entry.evicted {
            self.metrics().api_connection_closed("crowded");
            if let Some(held_back) = self.metrics().log_limit().admit("api-crowded") {
                tracing::warn!(
                    %peer,
                    held_back,
                    "too many connections to the API: one that kept it waiting is closed"
                );
            }
            gone.cancelled().await;
        }
        Some((entry.place, standing))
    }

    fn serve(
        &self,
        stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
        place: Place,
        of: (Peer, Standing),
    ) {
        let served = connection::serve(stream, connection_of(&place, of), self.common.clone());
        self.hold(place, served);
    }

    /// Serves a connection once its handshake is done, for which it has as long as for a head. It has its place from the
    /// beginning, which it loses first where there is none left.
    fn serve_tls(&self, stream: TcpStream, place: Place, of: (Peer, Standing)) {
        let (connection, common) = (connection_of(&place, of), self.common.clone());
        let handshake = self.identity.acceptor().accept(stream);
        let served = async move {
            let shaken = tokio::select! {
                shaken = tokio::time::timeout(common.limits.head, handshake) => shaken,
                () = common.draining.cancelled() => return,
            };
            match shaken {
                Ok(Ok(stream)) => connection::serve(stream, connection, common).await,
                Ok(Err(error)) => {
                    tracing::debug!(%error, peer = %of.0, "a TLS handshake with the API failed");
                    common.metrics.api_connection_closed("handshake");
                }
                Err(_) => common.metrics.api_connection_closed("handshake-slow"),
            }
        };
        self.hold(place, served);
    }

    /// Runs what serves a connection until it ends, or its place is given to another.
    fn hold(&self, place: Place, served: impl Future<Output = ()> + Send + 'static) {
        self.connections.spawn(async move {
            tokio::select! {
                () = place.close.cancelled() => {}
                () = served => {}
            }
            drop(place);
        });
    }

    fn metrics(&self) -> &Metrics {
        &self.common.metrics
    }
}

fn connection_of(place: &Place, (peer, standing): (Peer, Standing)) -> Connection {
    Connection {
        exchange: place.exchange.clone(),
        share: place.share.clone(),
        standing,
        peer,
        user: Arc::default(),
    }
}
