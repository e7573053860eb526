//! The settings in force, and their reload.

use axum::Json;
use axum::extract::State;
use orchestrator_api_types as wire;
use orchestrator_model::Timestamp;
use orchestrator_settings::Change;

use super::caller::Caller;
use super::problem::Fault;
use super::routes::Shared;
use super::wire::IntoWire;

/// The settings in force: their source, and how the written ones differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsView {
    /// The settings file.
    pub file: String,
    /// When the settings in force were read.
    pub loaded: Timestamp,
    /// The outcome of the last reload; `None` when there was none since the start.
    pub last_reload: Option<ReloadOutcome>,
    /// The differences between the written settings and those in force; empty when there are faults.
    pub pending: Vec<Change>,
    /// The faults of the written settings, each with its key.
    pub faults: Vec<String>,
}

/// The outcome of a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadOutcome {
    /// When the reload was requested.
    pub at: Timestamp,
    /// Whether the written settings came into force. If not, nothing was changed.
    pub ok: bool,
    /// The reasons why they did not.
    pub faults: Vec<String>,
}

/// Settings that have come into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// When they were read.
    pub loaded: Timestamp,
    /// The changes from the settings before, with the keys that keep their old value until a restart.
    pub changes: Vec<Change>,
}

/// `GET /v1/settings`
pub(super) async fn show(State(shared): State<Shared>) -> Result<Json<wire::SettingsView>, Fault> {
    Ok(Json(shared.app.control.settings().await?.into_wire()))
}

/// `POST /v1/settings/reload`
pub(super) async fn reload(State(shared): State<Shared>, caller: Caller) -> Result<Json<wire::Reloaded>, Fault> {
    Ok(Json(shared.app.control.reload(&caller).await?.into_wire()))
}
