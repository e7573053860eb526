//! Answers.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use orchestrator_plugin_oci::protocol::{Fault, Verb};
use serde::Serialize;

/// A fault as an answer.
#[derive(Debug)]
pub(super) struct Failure(Fault);

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(self.0)).into_response()
    }
}

/// An answer in JSON.
pub(super) type Answer<T> = Result<Json<T>, Failure>;

/// Carries something out to its end, whether its caller waits for it or not.
pub(super) async fn carried_out<T: Serialize + Send + 'static>(
    work: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Answer<T> {
    let done = tokio::spawn(work).await;
    let done = done.unwrap_or_else(|fault| Err(Fault::failed(Verb::Check, "the request", fault)));
    Ok(Json(done?))
}
