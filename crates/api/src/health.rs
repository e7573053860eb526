//! Health and readiness: the daemon runs, and has everything it needs.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use orchestrator_api_types::{Health, Readiness};

use super::describe::{Operation, Output, Schemas, describe_json};
use super::routes::Shared;
use super::wire::IntoWire;

/// `GET /v1/health`
pub(super) async fn health() -> Json<Health> {
    Json(Health {
        status: "ok".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}

/// Readiness. The status of the answer says it, too.
pub(super) struct Ready(Readiness);

impl IntoResponse for Ready {
    fn into_response(self) -> Response {
        let status = match self.0.ready {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(self.0)).into_response()
    }
}

impl Output for Ready {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        describe_json::<Readiness>(StatusCode::OK, operation, schemas);
        describe_json::<Readiness>(StatusCode::SERVICE_UNAVAILABLE, operation, schemas);
    }
}

/// `GET /v1/ready`
pub(super) async fn ready(State(shared): State<Shared>) -> Ready {
    // Before the database is there, not every condition is known.
    Ready(Readiness {
        ready: shared.app.store.borrow().is_some() && shared.app.conditions.ready(),
        conditions: shared.app.conditions.list().into_wire(),
    })
}
