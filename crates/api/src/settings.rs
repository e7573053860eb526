//! The settings: which are in force, and others in their place.

use axum::Json;
use axum::extract::State;
use orchestrator_api_types as wire;
use orchestrator_model::Timestamp;
use orchestrator_settings::Change;

use super::caller::Caller;
use super::problem::Fault;
use super::routes::Shared;
use super::wire::IntoWire;

/// The settings in force: where they are from, and how what is written differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsView {
    /// The file they are read from.
    pub file: String,
    /// When those in force were read.
    pub loaded: Timestamp,
    /// The outcome of the last reload; `None` when there was none since the start.
    pub last_reload: Option<ReloadOutcome>,
    /// How what is written now differs from what is in force; nothing when there are faults.
    pub pending: Vec<Change>,
    /// The faults of the written settings, each with its key.
    pub faults: Vec<String>,
}

/// The outcome of a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadOutcome {
    /// When it was asked for.
    pub at: Timestamp,
    /// Whether the written settings came into force. Otherwise nothing was changed.
    pub ok: bool,
    /// Why it did not.
    pub faults: Vec<String>,
}

/// Settings that have come into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// When they were read.
    pub loaded: Timestamp,
    /// How they differ from those before, and what stays as it was until the daemon starts anew.
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
