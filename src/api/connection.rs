//! One connection: HTTP/1.1 with bounds on everything a stranger may send, or fail to.

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::patience::Patience;
use super::serve::Limits;

/// Bytes of a request's head; also what is buffered of a body.
const LARGEST_HEAD: usize = 16 * 1024;

/// Header lines of a request.
const MOST_HEADERS: usize = 64;

/// Serves the requests of a connection, one after the other, until its end or the daemon's.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    routes: axum::Router,
    limits: Limits,
    draining: CancellationToken,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Counts from the end of the request before: an idle connection is closed by it, too.
        .header_read_timeout(limits.head)
        .max_headers(MOST_HEADERS)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(
            TokioIo::new(Patience::new(stream, limits.stall)),
            TowerToHyperService::new(routes),
        );
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the API broke off");
    }
}
