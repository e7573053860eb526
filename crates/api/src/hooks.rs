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
/// The answer is sent once the event is durable. A hook that gets 400 or 422 drops the event. After any other failure
/// it keeps the event in its spool.
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

/// Answers a request on TCP for a route that exists on unix sockets only.
pub(super) async fn unix_only() -> Fault {
    let detail = "hooks are accepted on the unix socket only, whose permissions say who may record leases";
    Fault::new(StatusCode::FORBIDDEN, "unix-socket-only", detail)
}
