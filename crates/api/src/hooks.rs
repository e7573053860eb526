//! The route by which hooks of lease sources hand over events.

use axum::extract::State;
use axum::http::StatusCode;
use orchestrator_api_types as wire;
use orchestrator_source::dnsmasq::DnsmasqEvent;

use super::body::JsonBody;
use super::describe::NoContent;
use super::problem::Fault;
use super::routes::Shared;

/// `POST /v1/hooks/dnsmasq`
///
/// Answers when the event is durable. A hook that is answered 400 or 422 has nothing to keep; after anything else
/// but success it keeps the event in its spool.
pub(super) async fn dnsmasq(
    State(shared): State<Shared>,
    body: JsonBody<wire::DnsmasqEvent>,
) -> Result<NoContent, Fault> {
    let what = "an event of dnsmasq, as `orchestrator hook dnsmasq` sends it";
    let event = DnsmasqEvent::try_from(body.read(what)?).map_err(|fault| {
        let detail = format!("the body is not {what}: {fault}");
        Fault::new(StatusCode::BAD_REQUEST, "bad-body", detail)
    })?;
    shared.app.control.dnsmasq_event(event).await?;
    Ok(NoContent)
}

/// A route of unix sockets, asked for where any user of the machine may come.
pub(super) async fn unix_only() -> Fault {
    let detail = "hooks are heard on the unix socket only, whose permissions say who may make clients appear";
    Fault::new(StatusCode::FORBIDDEN, "unix-socket-only", detail)
}
