//! The SSH keys of a client.

use axum::Json;
use axum::extract::State;
use orchestrator_api_types::AuthorizedKeys;
use orchestrator_model::parse_keys;

use super::ControlError;
use super::body::JsonBody;
use super::caller::Caller;
use super::params::Segment;
use super::problem::Fault;
use super::routes::Shared;
use super::view::View;

/// `GET /v1/clients/{id}/keys`
pub(super) async fn show(view: View, Segment(id): Segment) -> Result<Json<AuthorizedKeys>, Fault> {
    let client = view.client(&id).await?;
    let keys = view.into_store().authorized_keys(client.id).await?;
    Ok(Json(AuthorizedKeys { keys }))
}

/// `PUT /v1/clients/{id}/keys`
pub(super) async fn set(
    State(shared): State<Shared>,
    caller: Caller,
    view: View,
    Segment(id): Segment,
    body: JsonBody<AuthorizedKeys>,
) -> Result<Json<AuthorizedKeys>, Fault> {
    let client = view.client(&id).await?;
    let keys = parse_keys(&body.read("SSH keys")?.keys).map_err(|fault| ControlError::Refused {
        reason: fault.to_string(),
    })?;
    shared.app.control.set_keys(&caller, client.id, keys.clone()).await?;
    Ok(Json(AuthorizedKeys { keys }))
}
