//! Whether the daemon runs, and whether it has all it needs.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::routes::Shared;
use orchestrator_runtime::conditions::Condition;

/// That the daemon runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// Always `ok`: who does not run does not answer.
    pub status: String,
    /// The daemon's version.
    pub version: String,
}

/// Whether the daemon has all it needs.
#[derive(Debug, Clone, Serialize)]
pub struct Readiness {
    /// Whether nothing is waited for.
    pub ready: bool,
    /// All it needs, by name.
    pub conditions: Vec<Condition>,
}

/// `GET /v1/health`
pub(super) async fn health() -> Json<Health> {
    Json(Health {
        status: "ok".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// `GET /v1/ready`
pub(super) async fn ready(State(shared): State<Shared>) -> (StatusCode, Json<Readiness>) {
    // Before the database is there, not every condition is known.
    let ready = shared.app.store.borrow().is_some() && shared.app.conditions.ready();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(Readiness {
            ready,
            conditions: shared.app.conditions.list(),
        }),
    )
}
