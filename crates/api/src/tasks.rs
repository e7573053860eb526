//! The tasks of the daemon.

use axum::Json;
use axum::extract::State;
use orchestrator_api_types::{Page, Task};

use super::routes::Shared;
use super::wire::IntoWire;

/// `GET /v1/tasks`
pub(super) async fn list(State(shared): State<Shared>) -> Json<Page<Task>> {
    let items = shared.app.tasks.list().into_wire();
    Json(Page { items, next: None })
}
