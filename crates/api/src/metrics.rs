//! The counters.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::problem::Fault;
use super::routes::Shared;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// `GET /metrics`
pub(super) async fn render(State(shared): State<Shared>) -> Result<Response, Fault> {
    match shared.app.metrics.render() {
        Ok(text) => Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response()),
        Err(error) => Err(Fault::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "metrics-failed",
            error.to_string(),
        )),
    }
}
