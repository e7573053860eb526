//! Listens, serves, and drains.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::listener::{BindError, Listener};
use super::routes::{Shared, tcp_routes, unix_routes};
use super::{App, connection};
use crate::metrics::Metrics;
use crate::settings::Listen;

/// How long to wait after the operating system had no room for another connection.
const PAUSE: Duration = Duration::from_millis(100);

/// What one listener grants strangers. Each listener has its own: who crowds one leaves the others free.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time; more wait to be accepted.
    pub connections: usize,
    /// Requests that are answered at a time; more wait for their turn.
    pub requests: usize,
    /// Streams of events at a time; more are refused.
    pub streams: usize,
    /// From the beginning of a connection, or the end of a request, to the end of the next request's head.
    pub head: Duration,
    /// How long a reader may leave an answer unread.
    pub stall: Duration,
    /// How long requests may take to end when the daemon stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            requests: 16,
            streams: 64,
            head: Duration::from_secs(10),
            stall: Duration::from_secs(20),
            drain: Duration::from_secs(3),
        }
    }
}

/// The API on its sockets.
pub struct Server {
    listeners: Vec<Listener>,
    app: App,
    limits: Limits,
}

impl Server {
    /// Listens at every place. Nobody is answered before [`run`](Self::run).
    ///
    /// The socket of a daemon that is dead is replaced.
    ///
    /// # Errors
    ///
    /// When one of the places cannot be listened on; then none is.
    pub async fn bind(listen: &[Listen], app: App) -> Result<Self, BindError> {
        Self::with_limits(listen, app, Limits::default()).await
    }

    /// [`bind`](Self::bind) with other limits.
    ///
    /// # Errors
    ///
    /// Likewise.
    pub async fn with_limits(listen: &[Listen], app: App, limits: Limits) -> Result<Self, BindError> {
        let mut listeners = Vec::with_capacity(listen.len());
        for listen in listen {
            listeners.push(Listener::bind(listen).await?);
        }
        Ok(Self { listeners, app, limits })
    }

    /// Where it listens, with the ports that were chosen for port 0.
    ///
    /// # Errors
    ///
    /// When the operating system does not know.
    pub fn places(&self) -> io::Result<Vec<Listen>> {
        self.listeners.iter().map(Listener::place).collect()
    }

    /// Serves until `stop` is cancelled; then lets requests end, and ends streams of events.
    pub async fn run(self, stop: CancellationToken) {
        let Self { listeners, app, limits } = self;
        let draining = CancellationToken::new();
        let connections = TaskTracker::new();
        let accepting = TaskTracker::new();
        for listener in listeners {
            let shared = Shared {
                app: app.clone(),
                draining: draining.clone(),
                streams: Arc::new(Semaphore::new(limits.streams)),
                requests: Arc::new(Semaphore::new(limits.requests)),
            };
            let routes = match &listener {
                Listener::Unix { .. } => unix_routes(&shared),
                Listener::Tcp(_) => tcp_routes(&shared),
            };
            let door = Door {
                routes,
                limits,
                draining: draining.clone(),
                connections: connections.clone(),
                metrics: app.metrics.clone(),
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

/// One listener's way in.
struct Door {
    routes: Router,
    limits: Limits,
    draining: CancellationToken,
    connections: TaskTracker,
    metrics: Metrics,
}

impl Door {
    /// Accepts until the daemon stops. The socket is closed, and its file removed, on the way out.
    async fn accept(self, listener: Listener, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(self.limits.connections));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.accept_one(&listener, &places) => accepted,
            };
            match accepted {
                Ok(()) => {}
                // Who hangs up before being let in must not keep others waiting.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    // Out of file descriptors, most likely: connections end, and then there are some again.
                    if let Some(held_back) = self.metrics.log_limit().admit("api-unaccepted") {
                        tracing::warn!(%error, held_back, "the API could not accept a connection");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn accept_one(&self, listener: &Listener, places: &Arc<Semaphore>) -> io::Result<()> {
        // Before it is accepted: who finds no place waits in the kernel's queue and costs nothing.
        let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
        match listener {
            Listener::Unix { listener, .. } => self.serve(listener.accept().await?.0, place),
            Listener::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                // A connection that is gone already cannot be set up, which its first read finds out as well.
                let _ = stream.set_nodelay(true);
                self.serve(stream, place);
            }
        }
        Ok(())
    }

    fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, place: OwnedSemaphorePermit) {
        let served = connection::serve(stream, self.routes.clone(), self.limits, self.draining.clone());
        self.connections.spawn(async move {
            served.await;
            drop(place);
        });
    }
}
