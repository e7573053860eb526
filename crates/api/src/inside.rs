//! The API without a socket, for callers in the same process: command lines from elsewhere, and tests.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt, future};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::sync::{OnceCell, Semaphore};
use tokio_util::sync::CancellationToken;

use super::App;
use super::caller::Caller;
use super::connection::Connection;
use super::exchange::Exchange;
use super::passage::Face;
use super::peer::Standing;
use super::places::{Capacity, Share};
use super::problem::Fault;
use super::routes::{self, Shared};
use super::serve::Limits;

/// An answer, with its body in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The media type of the body, without its parameters; empty where there is none.
    pub media_type: String,
    /// The body.
    pub body: Bytes,
}

/// A body that is still arriving. It ends at its end, or when it breaks off.
pub type Coming = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// The API without a socket. A cheap handle.
///
/// Its routes and roles are those of the unix socket. It has no limits on peers: the part of the daemon that passes
/// requests on must limit them.
#[derive(Clone)]
pub struct Inside {
    routes: TowerToHyperService<Router>,
    share: Arc<Share>,
}

impl Inside {
    /// The API of a daemon.
    pub fn new(app: App) -> Self {
        let limits = Limits::default();
        let shared = Shared {
            app,
            draining: CancellationToken::new(),
            streams: Arc::new(Semaphore::new(limits.streams)),
        };
        let share = Share::of(Capacity {
            connections: limits.connections,
            requests: limits.requests,
            streams: limits.streams,
        });
        Self {
            routes: TowerToHyperService::new(routes::bare(&shared, Face::Unix)),
            share,
        }
    }

    /// The API for requests that a handler makes of it. Their streams count with the others of the connection's peer and
    /// of its listener, and what is for unix sockets only is refused.
    pub(super) fn of(shared: &Shared, connection: &Connection) -> Self {
        Self {
            routes: TowerToHyperService::new(routes::bare(shared, Face::Tcp)),
            share: connection.share.clone(),
        }
    }

    /// Answers a caller's request. `target` is the path with its query; `body` is JSON, or empty.
    pub async fn ask(&self, caller: &Caller, method: &str, target: &str, body: Vec<u8>) -> Answer {
        let headers = Headers::default();
        let answer = self.answer(caller, method, target, headers, Body::from(body)).await;
        let (parts, body) = answer.into_parts();
        let media_type = parts.headers.get(header::CONTENT_TYPE);
        let media_type = media_type.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        Answer {
            status: parts.status.as_u16(),
            media_type: media_type.split(';').next().unwrap_or_default().to_owned(),
            // A body in memory does not fail; one that breaks off is as long as what came.
            body: body.collect().await.map(|body| body.to_bytes()).unwrap_or_default(),
        }
    }

    /// Opens a stream of Server-Sent Events.
    ///
    /// # Errors
    ///
    /// Any answer that is not a stream.
    pub async fn follow(&self, caller: &Caller, target: &str) -> Result<Coming, Answer> {
        let headers = Headers {
            accept: Some("text/event-stream"),
            content_type: None,
        };
        coming(self.answer(caller, "GET", target, headers, Body::empty()).await).await
    }

    /// Sends a body of this media type with POST, and opens the answer, both of which go on at the same time.
    ///
    /// # Errors
    ///
    /// Any answer that is not a success.
    pub async fn exchange(
        &self,
        caller: &Caller,
        target: &str,
        content_type: &str,
        body: Coming,
    ) -> Result<Coming, Answer> {
        let headers = Headers {
            accept: None,
            content_type: Some(content_type),
        };
        let body = Body::from_stream(body.map(Ok::<_, Infallible>));
        coming(self.answer(caller, "POST", target, headers, body).await).await
    }

    async fn answer(&self, caller: &Caller, method: &str, target: &str, headers: Headers<'_>, body: Body) -> Response {
        let connection = Connection {
            exchange: Arc::new(Exchange::default()),
            share: self.share.clone(),
            standing: Standing::Full(caller.role),
            peer: caller.peer,
            user: Arc::new(OnceCell::new_with(Some(caller.user.clone()))),
        };
        let request = Method::from_bytes(method.as_bytes()).ok().and_then(|method| {
            let mut request = Request::builder().method(method).uri(target).extension(connection);
            if let Some(granted) = &caller.granted {
                request = request.extension(granted.clone());
            }
            for (name, value) in [
                (header::ACCEPT, headers.accept),
                (header::CONTENT_TYPE, headers.content_type),
            ] {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
            request.body(body).ok()
        });
        let Some(request) = request else {
            let detail = format!("{method} {target:?} is no request");
            return Fault::new(StatusCode::BAD_REQUEST, "bad-request", detail).into_response();
        };
        match self.routes.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

/// The headers of a request.
#[derive(Default)]
struct Headers<'a> {
    accept: Option<&'a str>,
    content_type: Option<&'a str>,
}

/// The body of a success as it arrives; any other answer is whole.
async fn coming(response: Response) -> Result<Coming, Answer> {
    let status = response.status();
    if status.is_success() {
        let stream = response.into_body().into_data_stream();
        return Ok(Box::pin(stream.scan((), |(), bytes| future::ready(bytes.ok()))));
    }
    let body = response.into_body().collect().await;
    Err(Answer {
        status: status.as_u16(),
        media_type: "application/problem+json".to_owned(),
        body: body.map(|body| body.to_bytes()).unwrap_or_default(),
    })
}
