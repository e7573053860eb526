//! The map of routes, and what every request passes through.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::problem::{Fault, Told};
use super::{
    App, body, clients, events, guard, health, hooks, instances, leases, metrics, reconfigure, reservations, settings,
};

/// How long an answer may take to begin.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// What handlers share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) app: App,
    /// Cancelled when the daemon stops: what has no end of its own ends then.
    pub(super) draining: CancellationToken,
    /// A permit for each stream of events.
    pub(super) streams: Arc<Semaphore>,
    /// A permit for each request that is being answered.
    pub(super) requests: Arc<Semaphore>,
}

/// The face of a unix socket: everything.
pub(super) fn unix_routes(shared: &Shared) -> Router {
    finish(routes(post(hooks::dnsmasq)), shared)
}

/// The face of a loopback address: no hooks, and a guard against web pages.
pub(super) fn tcp_routes(shared: &Shared) -> Router {
    finish(
        routes(post(hooks::unix_only)).layer(from_fn(guard::refuse_foreign)),
        shared,
    )
}

fn routes(dnsmasq_hook: MethodRouter<Shared>) -> Router<Shared> {
    Router::new()
        .route("/v1/health", get(health::health))
        .route("/v1/ready", get(health::ready))
        .route("/v1/clients", get(clients::list))
        .route("/v1/clients/{id}", get(clients::show))
        .route("/v1/clients/{id}/reconfigure", post(reconfigure::reconfigure))
        .route("/v1/leases", get(leases::list))
        .route("/v1/instances", get(instances::list))
        .route("/v1/instances/{id}", get(instances::show).delete(instances::destroy))
        .route("/v1/reservations", get(reservations::list).post(reservations::add))
        .route("/v1/reservations/{id}", delete(reservations::remove))
        .route("/v1/events", get(events::list))
        .route("/v1/settings", get(settings::show))
        .route("/v1/settings/reload", post(settings::reload))
        .route("/v1/hooks/dnsmasq", dnsmasq_hook)
        .route("/metrics", get(metrics::render))
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
}

fn finish(routes: Router<Shared>, shared: &Shared) -> Router {
    routes
        .layer(from_fn_with_state(shared.clone(), pass))
        .with_state(shared.clone())
}

async fn no_such_path(uri: Uri) -> Fault {
    Fault::not_found(uri.path())
}

async fn no_such_method(method: Method, uri: Uri) -> Fault {
    let detail = format!(
        "{} cannot be asked to {method}; the Allow header says what it can",
        uri.path()
    );
    Fault::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
}

/// Around every request: a bound on its body, a limit on its time, and a count of what was refused.
async fn pass(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let mut response = match refuse_large(&request) {
        Some(fault) => fault.into_response(),
        None => match tokio::time::timeout(ANSWER_LIMIT, answer(&shared, request, next)).await {
            Ok(response) => response,
            Err(_) => {
                let detail = format!("there was no answer within {} s; try again", ANSWER_LIMIT.as_secs());
                Fault::new(StatusCode::GATEWAY_TIMEOUT, "too-slow", detail).into_response()
            }
        },
    };
    if let Some(told) = response.extensions().get::<Told>() {
        told.record(&shared.app.metrics);
    }
    // State is never to be shown from a cache, nor guessed at by a browser.
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Waits for its turn: a flood of requests must not keep the reconcile path from the database.
async fn answer(shared: &Shared, request: Request, next: Next) -> Response {
    // Nothing closes the semaphore; were it closed, nobody would have to wait.
    let _turn = shared.requests.acquire().await;
    next.run(request).await
}

fn refuse_large(request: &Request) -> Option<Fault> {
    let length = request
        .headers()
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse::<u64>()
        .ok()?;
    (length > body::LARGEST_BODY as u64).then(body::too_large)
}
