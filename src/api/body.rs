//! Bodies of requests, bounded in size and time.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use super::problem::Fault;

/// Bytes of a body that are read at most.
pub(super) const LARGEST_BODY: usize = 64 * 1024;

/// How long a body may take to arrive.
const BODY_LIMIT: Duration = Duration::from_secs(5);

/// Reads a body as JSON that says `what`.
pub(super) async fn read_json<T: DeserializeOwned>(body: Body, what: &str) -> Result<T, Fault> {
    serde_json::from_slice(&read(body).await?).map_err(|error| {
        let detail = format!("the body is not {what}: {error}");
        Fault::new(StatusCode::BAD_REQUEST, "bad-body", detail)
    })
}

/// Reads a body.
pub(super) async fn read(body: Body) -> Result<Bytes, Fault> {
    match tokio::time::timeout(BODY_LIMIT, to_bytes(body, LARGEST_BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => {
            let detail = format!("the body did not arrive within {} s", BODY_LIMIT.as_secs());
            Err(Fault::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", detail))
        }
    }
}

/// A body that is not read.
pub(super) fn too_large() -> Fault {
    let detail = format!("the body has more than {LARGEST_BODY} bytes, or broke off");
    Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail)
}
