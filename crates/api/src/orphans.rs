//! Instances that run and that the database does not know.

use axum::Json;
use axum::extract::State;
use orchestrator_api_types::{Orphan, Page};
use orchestrator_model::InstanceId;

use super::caller::Caller;
use super::params::Segment;
use super::problem::Fault;
use super::routes::Shared;
use super::wire::IntoWire;

/// `GET /v1/orphans`
pub(super) async fn list(State(shared): State<Shared>) -> Result<Json<Page<Orphan>>, Fault> {
    let items = shared.app.control.orphans().await?.into_wire();
    Ok(Json(Page { items, next: None }))
}

/// `DELETE /v1/orphans/{id}`
pub(super) async fn remove(
    State(shared): State<Shared>,
    caller: Caller,
    Segment(id): Segment,
) -> Result<Json<Orphan>, Fault> {
    let missing = || Fault::no_such("orphan", "no-such-orphan", &id);
    let named: InstanceId = id.parse().map_err(|_| missing())?;
    let removed = shared.app.control.remove_orphan(&caller, named).await?;
    Ok(Json(removed.ok_or_else(missing)?.into_wire()))
}
