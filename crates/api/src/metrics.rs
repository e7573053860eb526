//! The metrics.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::describe::{Operation, Output, Schemas};
use super::problem::Fault;
use super::routes::Shared;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics, in the OpenMetrics text format.
pub(super) struct Counters(String);

impl IntoResponse for Counters {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, OPEN_METRICS)], self.0).into_response()
    }
}

impl Output for Counters {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.answers(
            StatusCode::OK,
            "application/openmetrics-text",
            json!({ "type": "string" }),
        );
    }
}

/// `GET /metrics`
pub(super) async fn render(State(shared): State<Shared>) -> Result<Counters, Fault> {
    shared
        .app
        .metrics
        .render()
        .map(Counters)
        .map_err(|error| Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "metrics-failed", error.to_string()))
}
