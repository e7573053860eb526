//! Instances that run and that the database does not know.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::params::Segment;
use super::problem::Fault;
use super::routes::Shared;
use orchestrator_model::{InstanceId, Orphan, Page};

/// `GET /v1/orphans`
pub(super) async fn list(State(shared): State<Shared>) -> Result<Json<Page<Orphan>>, Fault> {
    let items = shared.app.control.orphans().await?;
    Ok(Json(Page { items, next: None }))
}

/// `DELETE /v1/orphans/{id}`
pub(super) async fn remove(
    State(shared): State<Shared>,
    Segment(id): Segment,
) -> Result<(StatusCode, Json<Orphan>), Fault> {
    let missing = || Fault::no_such("orphan", "no-such-orphan", &id);
    let named: InstanceId = id.parse().map_err(|_| missing())?;
    let removed = shared.app.control.remove_orphan(named).await?;
    Ok((StatusCode::OK, Json(removed.ok_or_else(missing)?)))
}
