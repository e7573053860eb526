//! The SSH keys of a client.

use axum::Json;
use axum::extract::State;
use orchestrator_api_types::{AuthorizedKeys, KeyList};
use orchestrator_model::{KeyChange, parse_keys};

use super::body::JsonBody;
use super::caller::Caller;
use super::params::{KeyPath, Segment};
use super::problem::Fault;
use super::routes::Shared;
use super::view::View;
use super::wire::IntoWire;

/// `GET /v1/clients/{id}/keys`
pub(super) async fn show(
    State(shared): State<Shared>,
    view: View,
    Segment(id): Segment,
) -> Result<Json<AuthorizedKeys>, Fault> {
    let client = view.client(&id).await?;
    Ok(Json(shared.app.control.keys(client.id).await?.into_wire()))
}

/// `PUT /v1/clients/{id}/keys`
pub(super) async fn set(
    State(shared): State<Shared>,
    caller: Caller,
    view: View,
    Segment(id): Segment,
    body: JsonBody<KeyList>,
) -> Result<Json<AuthorizedKeys>, Fault> {
    let new = read(&body.read("SSH keys")?.keys)?;
    change(&shared, &caller, &view, &id, KeyChange::Replace(new)).await
}

/// `POST /v1/clients/{id}/keys`
pub(super) async fn add(
    State(shared): State<Shared>,
    caller: Caller,
    view: View,
    Segment(id): Segment,
    body: JsonBody<KeyList>,
) -> Result<Json<AuthorizedKeys>, Fault> {
    let new = read(&body.read("SSH keys")?.keys)?;
    change(&shared, &caller, &view, &id, KeyChange::Add(new)).await
}

/// `DELETE /v1/clients/{id}/keys/{fingerprint}`
pub(super) async fn remove(
    State(shared): State<Shared>,
    caller: Caller,
    view: View,
    KeyPath { client, fingerprint }: KeyPath,
) -> Result<Json<AuthorizedKeys>, Fault> {
    change(&shared, &caller, &view, &client, KeyChange::Remove(fingerprint)).await
}

async fn change(
    shared: &Shared,
    caller: &Caller,
    view: &View,
    id: &str,
    change: KeyChange,
) -> Result<Json<AuthorizedKeys>, Fault> {
    let client = view.client(id).await?;
    let keys = shared.app.control.change_keys(caller, client.id, change).await?;
    Ok(Json(keys.into_wire()))
}

/// Reads SSH keys, each one line.
pub(super) fn read(lines: &[String]) -> Result<Vec<String>, Fault> {
    parse_keys(lines).map_err(Fault::from)
}
