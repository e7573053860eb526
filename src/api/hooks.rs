//! Where hooks of lease sources hand over what they were told.

use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;

use super::body;
use super::problem::Fault;
use super::routes::Shared;
use crate::source::dnsmasq::DnsmasqEvent;

/// `POST /v1/hooks/dnsmasq`
///
/// Answers when the event is durable. A hook that is answered 400 or 422 has nothing to keep; after anything else
/// but success it keeps the event in its spool.
pub(super) async fn dnsmasq(State(shared): State<Shared>, body: Body) -> Result<StatusCode, Fault> {
    let event: DnsmasqEvent = serde_json::from_slice(&body::read(body).await?).map_err(|error| {
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
