//! The doctor.

use axum::Json;
use axum::extract::State;
use orchestrator_api_types::Doctor;

use super::caller::Caller;
use super::problem::Fault;
use super::routes::Shared;

/// `GET /v1/doctor`
pub(super) async fn show(State(shared): State<Shared>) -> Result<Json<Doctor>, Fault> {
    Ok(Json(shared.app.control.diagnose().await))
}

/// `POST /v1/doctor/fix`
pub(super) async fn fix(State(shared): State<Shared>, caller: Caller) -> Result<Json<Doctor>, Fault> {
    Ok(Json(shared.app.control.mend(&caller).await))
}
