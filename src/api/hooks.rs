//! Where hooks of lease sources hand over what they were told.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::StatusCode;

use super::problem::Fault;
use super::routes::Shared;
use crate::source::dnsmasq::DnsmasqEvent;

/// Bytes of a body that are read at most.
pub(super) const LARGEST_BODY: usize = 64 * 1024;

/// How long a body may take to arrive.
const BODY_LIMIT: Duration = Duration::from_secs(5);

/// `POST /v1/hooks/dnsmasq`
///
/// Answers when the event is durable. A hook that is answered 400 or 422 has nothing to keep; after anything else
/// but success it keeps the event in its spool.
pub(super) async fn dnsmasq(State(shared): State<Shared>, body: Body) -> Result<StatusCode, Fault> {
    let event: DnsmasqEvent = serde_json::from_slice(&read(body).await?).map_err(|error| {
        let detail = format!("the body is no event of dnsmasq: {error}; send what `orchestrator hook dnsmasq` sends");
        Fault::new(StatusCode::BAD_REQUEST, "bad-body", detail)
    })?;
    shared.app.control.dnsmasq_event(event).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The same path where anybody on the host may come.
pub(super) async fn unix_only() -> Fault {
    let detail = "hooks are heard on the unix socket only, whose permissions say who may make clients appear";
    Fault::new(StatusCode::FORBIDDEN, "unix-socket-only", detail)
}

async fn read(body: Body) -> Result<Bytes, Fault> {
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
