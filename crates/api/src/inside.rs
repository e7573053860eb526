//! The API without a socket, for callers in the same process: command lines from elsewhere, and tests.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
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
use super::peer::{Peer, Standing};
use super::places::Share;
use super::problem::Fault;
use super::routes::{self, Shared};

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

/// A body that is still arriving. An error is its last item: it broke off before its end.
pub type Coming = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// Reads that block at the same time, of all peers.
const STREAMS: usize = 256;
/// Reads that block at the same time, of one peer. While many peers have some, each may have fewer: never more than are
/// still free.
const STREAMS_OF_PEER: usize = 4;

/// The API without a socket. A cheap handle.
///
/// Its routes and roles are those of the unix socket. Of the limits on peers it has those on reads that block: each peer
/// has a share of its own. The part of the daemon that passes requests on must limit the rest.
#[derive(Clone)]
pub struct Inside {
    routes: TowerToHyperService<Router>,
    shares: Shares,
}

/// The shares of those who ask.
#[derive(Clone)]
enum Shares {
    /// One for each peer, for as long as it asks.
    Own(Arc<Mutex<BTreeMap<Peer, Weak<Share>>>>),
    /// That of the connection for which a handler asks.
    Of(Arc<Share>),
}

impl Shares {
    fn of(&self, peer: Peer) -> Arc<Share> {
        let shares = match self {
            Self::Own(shares) => shares,
            Self::Of(share) => return share.clone(),
        };
        let mut shares = shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(&peer).and_then(Weak::upgrade) {
            return share;
        }
        shares.retain(|_, share| share.strong_count() > 0);
        let share = Share::new(STREAMS_OF_PEER, STREAMS_OF_PEER);
        shares.insert(peer, Arc::downgrade(&share));
        share
    }
}

impl Inside {
    /// The API of a daemon.
    pub fn new(app: App) -> Self {
        let shared = Shared {
            app,
            draining: CancellationToken::new(),
            streams: Arc::new(Semaphore::new(STREAMS)),
            leaves_some: true,
        };
        Self {
            routes: TowerToHyperService::new(routes::bare(&shared, Face::Unix)),
            shares: Shares::Own(Arc::default()),
        }
    }

    /// The API for requests that a handler makes of it. Their streams count with the others of the connection's peer and
    /// of its listener, and what is for unix sockets only is refused.
    pub(super) fn of(shared: &Shared, connection: &Connection) -> Self {
        Self {
            routes: TowerToHyperService::new(routes::bare(shared, Face::Tcp)),
            shares: Shares::Of(connection.share.clone()),
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

    /// Asks for an answer of this media type, and opens it. `body` is JSON, or empty.
    ///
    /// # Errors
    ///
    /// Any answer that is not a success.
    pub async fn open(
        &self,
        caller: &Caller,
        method: &str,
        target: &str,
        accept: &str,
        body: Vec<u8>,
    ) -> Result<Coming, Answer> {
        let headers = Headers {
            accept: Some(accept),
            content_type: None,
        };
        coming(self.answer(caller, method, target, headers, Body::from(body)).await).await
    }

    /// Sends a body of this media type with POST, and opens the answer, both of which go on at the same time. A body that
    /// breaks off is no whole one to the handler.
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
        let body = Body::from_stream(body);
        coming(self.answer(caller, "POST", target, headers, body).await).await
    }

    async fn answer(&self, caller: &Caller, method: &str, target: &str, headers: Headers<'_>, body: Body) -> Response {
        let connection = Connection {
            exchange: Arc::new(Exchange::default()),
            share: self.shares.of(caller.peer),
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
        return Ok(Box::pin(stream.map(|piece| piece.map_err(io::Error::other))));
    }
    let body = response.into_body().collect().await;
    Err(Answer {
        status: status.as_u16(),
        media_type: "application/problem+json".to_owned(),
        body: body.map(|body| body.to_bytes()).unwrap_or_default(),
    })
}
