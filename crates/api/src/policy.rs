//! What the packet filter allows a client or an instance.

use std::net::Ipv6Addr;

use axum::Json;
use axum::extract::State;
use orchestrator_api_types::{self as wire, PolicyQuery};
use orchestrator_model::{PolicySubject, PolicyTarget, Ports};

use super::params::{Params, Segment};
use super::problem::Fault;
use super::routes::Shared;
use super::view::View;
use super::wire::IntoWire;

/// `GET /v1/clients/{id}/policy`
pub(super) async fn of_client(
    State(shared): State<Shared>,
    view: View,
    Segment(id): Segment,
    Params(query): Params<PolicyQuery>,
) -> Result<Json<wire::PolicyView>, Fault> {
    let client = view.client(&id).await?;
    show(&shared, &view, PolicySubject::Client(client.id), query).await
}

/// `GET /v1/instances/{id}/policy`
pub(super) async fn of_instance(
    State(shared): State<Shared>,
    view: View,
    Segment(id): Segment,
    Params(query): Params<PolicyQuery>,
) -> Result<Json<wire::PolicyView>, Fault> {
    let found = view.instance(&id).await?;
    show(&shared, &view, PolicySubject::Instance(found.instance.id), query).await
}

async fn show(
    shared: &Shared,
    view: &View,
    of: PolicySubject,
    query: PolicyQuery,
) -> Result<Json<wire::PolicyView>, Fault> {
    let ports = query.ports.as_deref().map(str::parse::<Ports>).transpose();
    let ports = ports.map_err(|fault| Fault::bad_parameter(fault.to_string()))?;
    let to = match &query.to {
        Some(to) => Some(target(view, to).await?),
        None if ports.is_some() => {
            return Err(Fault::bad_parameter(
                "ports has no effect without `to`; name who is to be reached",
            ));
        }
        None => None,
    };
    let shown = shared.app.control.policy(of, to.map(|to| (to, ports))).await?;
    Ok(Json(shown.into_wire()))
}

/// Reads an address, or the id of a client or an instance.
async fn target(view: &View, text: &str) -> Result<PolicyTarget, Fault> {
    if let Ok(address) = text.parse::<Ipv6Addr>() {
        return Ok(PolicyTarget::Address(address));
    }
    if let Some(client) = view.find_client(text).await? {
        return Ok(PolicyTarget::Client(client.id));
    }
    let found = view.instance(text).await?;
    Ok(PolicyTarget::Instance(found.instance.id))
}
