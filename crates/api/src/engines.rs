//! The engines.

use axum::Json;
use axum::extract::State;
use orchestrator_api_types::{Engine, Page};

use super::problem::Fault;
use super::routes::Shared;
use super::wire::IntoWire;

/// An engine of the settings, with what it can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineView {
    /// The name by which templates choose it.
    pub name: String,
    /// The host that it is on.
    pub host: String,
    /// The word for its kind in the settings.
    pub kind: &'static str,
    /// Its capabilities, by their words.
    pub capabilities: Vec<&'static str>,
}

/// `GET /v1/engines`
pub(super) async fn list(State(shared): State<Shared>) -> Result<Json<Page<Engine>>, Fault> {
    let items = shared.app.control.engines()?.into_wire();
    Ok(Json(Page { items, next: None }))
}
