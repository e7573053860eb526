//! One connection: HTTP/1.1 with limits on everything that a peer may send or delay.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, Response, StatusCode};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use orchestrator_secrets::Granted;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use super::caller::Caller;
use super::exchange::Exchange;
use super::patience::Patience;
use super::peer::{Peer, Standing};
use super::places::Share;
use super::problem::Fault;
use super::role::Role;
use super::screen::Screen;
use super::serve::Limits;
use super::user::user_name;
use orchestrator_runtime::metrics::Metrics;

/// The largest head of a request, in bytes; also the size of the buffer for bodies.
const LARGEST_HEAD: usize = 16 * 1024;

/// The largest number of header lines of a request.
const MOST_HEADERS: usize = 64;

/// How long, and for how many bytes, the daemon reads on after a malformed request. If it closed at once, the peer
/// might lose the answer (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 256 * 1024;

/// The connection of a request, as the routes see it.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    pub(super) exchange: Arc<Exchange>,
    pub(super) share: Arc<Share>,
    pub(super) standing: Standing,
    pub(super) peer: Peer,
    /// The name of the peer's user, once it was looked up.
    pub(super) user: Arc<OnceCell<Option<String>>>,
}

impl Connection {
    /// The caller of the request; `None` when the peer has no role. A token that it has shown counts before its socket.
    ///
    /// The user's name is looked up only for requests that change something, so that the change can be recorded with
    /// it.
    pub(super) async fn caller(&self, needed: Role, granted: Option<Arc<Granted>>) -> Option<Caller> {
        let role = match &granted {
            Some(granted) => granted.role,
            None => self.standing.role()?,
        };
        let user = match needed {
            _ if granted.is_some() => None,
            Role::Viewer => self.user.get().cloned().flatten(),
            Role::Hook | Role::Operator | Role::Admin => self.user.get_or_init(|| user_name(self.peer)).await.clone(),
        };
        Some(Caller {
            peer: self.peer,
            user,
            role,
            granted,
        })
    }
}

/// The state that the connections of a listener share.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) routes: axum::Router,
    pub(super) limits: Limits,
    pub(super) draining: CancellationToken,
    pub(super) metrics: Metrics,
}

/// Serves the requests of a connection, one after the other, until the connection ends or the daemon stops.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    of: Connection,
    Common {
        routes,
        limits,
        draining,
        metrics,
    }: Common,
) {
    let exchange = of.exchange.clone();
    let routes = TowerToHyperService::new(routes);
    let screen = Screen::new(Patience::new(stream, limits.stall), exchange.clone());
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        // Counts from the end of the request before: an idle connection is closed by it, too.
        .header_read_timeout(limits.head)
        .max_headers(MOST_HEADERS)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(screen), Front { routes, of });
    let served = tokio::select! {
        served = poll_fn(|cx| connection.poll_without_shutdown(cx)) => served,
        () = draining.cancelled() => {
            Pin::new(&mut connection).graceful_shutdown();
            poll_fn(|cx| connection.poll_without_shutdown(cx)).await
        }
    };
    let mut stream = connection.into_parts().io.into_inner().into_inner();
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the API broke off");
        if let Some(fault) = explain(&error, &exchange) {
            metrics.api_refused(fault.code());
            answer(&mut stream, fault).await;
            return;
        }
    }
    // The peer may have closed it already.
    let _ = stream.shutdown().await;
}

/// The answer to a request that hyper could not read; `None` when there is no answer.
fn explain(error: &hyper::Error, exchange: &Exchange) -> Option<Fault> {
    if exchange.is_answered() {
        return None;
    }
    if error.is_parse_too_large() {
        let detail = format!(
            "the head of the request has more than {LARGEST_HEAD} bytes or {MOST_HEADERS} lines; send fewer headers"
        );
        return Some(Fault::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            "head-too-large",
            detail,
        ));
    }
    if error.is_parse() {
        let detail = format!("this is no request of HTTP/1.1 (RFC 9112): {error}");
        return Some(Fault::new(StatusCode::BAD_REQUEST, "bad-request", detail));
    }
    if !exchange.has_begun() {
        return None;
    }
    if error.is_timeout() {
        let detail = "the head of the request did not arrive in time; send it at once";
        return Some(Fault::new(StatusCode::REQUEST_TIMEOUT, "head-too-slow", detail));
    }
    error.is_incomplete_message().then(|| {
        let detail = "the head of the request breaks off before its end; send it whole";
        Fault::new(StatusCode::BAD_REQUEST, "bad-request", detail)
    })
}

/// Writes an answer when hyper could not, and gives the peer a little time to read it.
async fn answer(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), fault: Fault) {
    if stream.write_all(&fault.into_message()).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    let mut rest = stream.take(LINGER_BYTES);
    // Whatever comes is not read as a request any more.
    let _ = tokio::time::timeout(LINGER, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
}

/// Passes requests to the routes, and updates the exchange.
struct Front {
    routes: TowerToHyperService<axum::Router>,
    of: Connection,
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Watched>, Infallible>> + Send>>;

impl Service<Request<Incoming>> for Front {
    type Response = Response<Watched>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, mut request: Request<Incoming>) -> Answering {
        let exchange = self.of.exchange.clone();
        exchange.requested();
        request.extensions_mut().insert(self.of.clone());
        let answer = self.routes.call(request);
        Box::pin(async move { Ok(answer.await?.map(|body| Watched { body, exchange })) })
    }
}

/// The body of an answer. hyper drops it once it has read all of it.
struct Watched {
    body: Body,
    exchange: Arc<Exchange>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.exchange.buffered();
    }
}

#[cfg(test)]
mod tests;
