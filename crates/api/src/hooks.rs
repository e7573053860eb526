//! Where hooks of lease sources hand over what they were told.

use axum::extract::State;
use axum::http::StatusCode;

use super::body::JsonBody;
use super::problem::Fault;
use super::routes::Shared;
use orchestrator_source::dnsmasq::DnsmasqEvent;

/// `POST /v1/hooks/dnsmasq`
///
/// Answers when the event is durable. A hook that is answered 400 or 422 has nothing to keep; after anything else
/// but success it keeps the event in its spool.
pub(super) async fn dnsmasq(State(shared): State<Shared>, body: JsonBody) -> Result<StatusCode, Fault> {
    let event: DnsmasqEvent = body.read("an event of dnsmasq, as `orchestrator hook dnsmasq` sends it")?;
    shared.app.control.dnsmasq_event(event).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The same path where anybody on the host may come.
pub(super) async fn unix_only() -> Fault {
    let detail = "hooks are heard on the unix socket only, whose permissions say who may make clients appear";
    Fault::new(StatusCode::FORBIDDEN, "unix-socket-only", detail)
}
