//! The map of routes.

use std::sync::Arc;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, delete, get, post};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::passage::{Face, Passage, pass};
use super::problem::Fault;
use super::{
    App, clients, events, health, hooks, instances, leases, metrics, orphans, reconfigure, reservations, settings,
};

/// What handlers share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) app: App,
    /// Cancelled when the daemon stops: what has no end of its own ends then.
    pub(super) draining: CancellationToken,
    /// A permit for each stream of events.
    pub(super) streams: Arc<Semaphore>,
}

/// All routes behind their passage. dnsmasq's hooks are heard on a unix socket only.
pub(super) fn build(shared: &Shared, passage: Passage) -> Router {
    let hook = match passage.face {
        Face::Unix => post(hooks::dnsmasq),
        Face::Tcp => post(hooks::unix_only),
    };
    let pass = from_fn_with_state(passage, pass);
    routes(hook).layer(pass).with_state(shared.clone())
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
        .route("/v1/orphans", get(orphans::list))
        .route("/v1/orphans/{id}", delete(orphans::remove))
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
