//! The steps that every request passes before its handler.
//!
//! ```text
//!   may the peer ask this? ──▶ is the request sound? ──▶ its token ──▶ body in memory ──▶ its signature ──▶ a turn ──▶ answered within 30 s
//!                                                               (waits for the peer)             (waits for others)
//! ```
//! The body is read before a turn is taken, so that a slow peer delays nobody else. An archive of images is not read
//! here: it is passed on to its engine piece by piece, without a turn. Health and readiness need no turn,
//! and are always answered.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::connection::Connection;
use super::credentials::{Credentials, Keeper};
use super::peer::Standing;
use super::problem::{Fault, SentProblem};
use super::{body, guard, host, revocable, waiting};
use orchestrator_model::Timestamp;
use orchestrator_runtime::access::Access;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_secrets::{Denied, Granted};

/// How long an answer may take to begin, once the request is complete.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// The kind of socket that a request came in on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    /// A unix socket.
    Unix,
    /// A loopback address, which web pages can reach.
    Tcp,
    /// TLS, where every request has a token.
    Tls,
}

/// The limits of one listener.
#[derive(Clone)]
pub(super) struct Passage {
    pub(super) face: Face,
    pub(super) access: Arc<Access>,
    /// A permit for each request that is being answered.
    pub(super) requests: Arc<Semaphore>,
    /// How long a body may take to arrive.
    pub(super) body: Duration,
    pub(super) metrics: Metrics,
    /// Finds the tokens.
    pub(super) keeper: Keeper,
}

/// Passes a request on, or answers why it is refused. Counts the refused ones.
pub(super) async fn pass(
    State(passage): State<Passage>,
    Extension(connection): Extension<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let answered = answer(&passage, &connection, request, next).await;
    let mut response = answered.unwrap_or_else(Fault::into_response);
    if let Some(sent) = response.extensions().get::<SentProblem>() {
        sent.record(&passage.metrics);
    }
    let headers = response.headers_mut();
    forbid_guesses(headers);
    if !matches!(connection.standing, Standing::Full(_) | Standing::ByToken) {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Forbids caches to keep an answer, and browsers to guess its type.
fn forbid_guesses(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

async fn answer(passage: &Passage, connection: &Connection, request: Request, next: Next) -> Result<Response, Fault> {
    check_standing(&passage.access, connection.standing, &request)?;
    host::check(&request)?;
    if passage.face == Face::Tcp {
        guard::check(&request)?;
    }
    let credentials = Credentials::of(request.headers())?;
    let mut request = request;
    let sent = credentials.check_sent(&passage.keeper, connection.standing)?;
    if is_upload(&request) || is_exec(&request) {
        credentials.refuse_signed()?;
        grant(&mut request, sent.clone());
        // It has no turn: it takes as long as its peer and the engine take. Streams are bounded by themselves.
        return until_removed(passage, request, sent, next).await;
    }
    body::refuse_large(&request)?;
    if is_probe(&request) && !credentials.is_signed() {
        grant(&mut request, sent);
        connection.exchange.body_received();
        return Ok(next.run(request).await);
    }
    let (mut request, body) = body::receive(request, passage.body, credentials.is_signed()).await?;
    let signed = credentials.check_signed(&passage.keeper, &request, &body)?;
    let granted = sent.or(signed);
    grant(&mut request, granted.clone());
    connection.exchange.body_received();
    if waiting::may_block(&request) {
        return until_removed(passage, request, granted, next).await;
    }
    let in_turn = async {
        // Nothing closes the semaphores; were they closed, nobody would have to wait. A peer that takes its whole
        // share waits for itself first.
        let _own = connection.share.requests.acquire().await;
        let _turn = passage.requests.acquire().await;
        next.run(request).await
    };
    let answered = tokio::time::timeout(ANSWER_LIMIT, in_turn).await.map_err(|_| {
        let detail = format!("there was no answer within {} s; try again", ANSWER_LIMIT.as_secs());
        Fault::new(StatusCode::GATEWAY_TIMEOUT, "too-slow", detail)
    })?;
    Ok(end_with(passage, granted.as_deref(), answered))
}

/// Answers a request that may take minutes, without a turn. It and its answer end when the token of its caller does.
async fn until_removed(
    passage: &Passage,
    request: Request,
    granted: Option<Arc<Granted>>,
    next: Next,
) -> Result<Response, Fault> {
    let over = async {
        match granted.as_deref() {
            Some(granted) => revocable::over(granted, now(passage)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        answered = next.run(request) => Ok(end_with(passage, granted.as_deref(), answered)),
        () = over => Err(Denied::Unknown.into()),
    }
}

/// The time on the clock by which tokens end. A daemon that has found its tokens keeps them, and so its clock.
fn now(passage: &Passage) -> Option<Timestamp> {
    (passage.keeper)().map(|(_, now)| now).ok()
}

/// Has an answer that goes on end with the token of its caller.
fn end_with(passage: &Passage, granted: Option<&Granted>, answered: Response) -> Response {
    match granted {
        Some(granted) => revocable::end_with(answered, granted, now(passage)),
        None => answered,
    }
}

/// Passes on with the request what its token grants.
fn grant(request: &mut Request, granted: Option<Arc<Granted>>) {
    if let Some(granted) = granted {
        request.extensions_mut().insert(granted);
    }
}

fn check_standing(access: &Access, standing: Standing, request: &Request) -> Result<(), Fault> {
    match standing {
        Standing::Full(_) | Standing::ByToken => Ok(()),
        Standing::ProbesOnly(_) if is_probe(request) => Ok(()),
        Standing::ProbesOnly(_) => {
            let detail = "too many connections are open; only /v1/health and /v1/ready are answered until some end";
            Err(Fault::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too-many-connections",
                detail,
            ))
        }
        Standing::Stranger { uid } => Err(Fault::new(StatusCode::FORBIDDEN, "not-allowed", access.remedy(uid))),
    }
}

/// Whether a request brings an archive, which is passed on piece by piece.
fn is_upload(request: &Request) -> bool {
    *request.method() == Method::POST && request.uri().path() == super::images::UPLOAD_PATH
}

/// Whether a request runs a command, whose input is passed on while it runs.
fn is_exec(request: &Request) -> bool {
    *request.method() == Method::POST && super::exec::is_exec_path(request.uri().path())
}

/// Whether a request asks for health or readiness.
fn is_probe(request: &Request) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    reads && matches!(request.uri().path(), "/v1/health" | "/v1/ready")
}
