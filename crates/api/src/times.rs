//! The times of instances: pin, unpin, extend and expire.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use orchestrator_api_types::{self as wire, Extension};
use orchestrator_model::{Expiry, InstanceView, TimeChange, parse_lifespan};

use super::body::JsonBody;
use super::caller::Caller;
use super::params::Segment;
use super::problem::Fault;
use super::routes::Shared;
use super::view::View;

/// The longest extension by one request.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// `POST /v1/instances/{id}/pin`
pub(super) async fn pin(
    State(shared): State<Shared>,
    caller: Caller,
    view: View,
    Segment(id): Segment,
) -> Result<Json<wire::InstanceView>, Fault> {
    change(&shared, &caller, &view, &id, TimeChange::Pin).await
}

/// `POST /v1/instances/{id}/unpin`
pub(super) async fn unpin(
    State(shared): State<Shared>,
    caller: Caller,
    view: View,
    Segment(id): Segment,
) -> Result<Json<wire::InstanceView>, Fault> {
    change(&shared, &caller, &view, &id, TimeChange::Unpin).await
}

/// `POST /v1/instances/{id}/extend`
pub(super) async fn extend(
    State(shared): State<Shared>,
    caller: Caller,
    view: View,
    Segment(id): Segment,
    body: JsonBody<Extension>,
) -> Result<Json<wire::InstanceView>, Fault> {
    let Extension { by } = body.read("an extension")?;
    let span = parse_lifespan(&by).map_err(|fault| Fault::bad_duration(fault.to_string()))?;
    if !(Duration::from_secs(1)..=LONGEST).contains(&span) {
        return Err(Fault::bad_duration(format!(
            "{by} is out of bounds: take \"1s\" to \"365d\""
        )));
    }
    change(&shared, &caller, &view, &id, TimeChange::Extend(span)).await
}

/// `POST /v1/instances/{id}/expire`
pub(super) async fn expire(
    State(shared): State<Shared>,
    caller: Caller,
    view: View,
    Segment(id): Segment,
) -> Result<Json<wire::InstanceView>, Fault> {
    let end = TimeChange::Expire {
        expiry: Expiry::Operator,
        keep: Duration::ZERO,
    };
    change(&shared, &caller, &view, &id, end).await
}

/// `POST /v1/instances/{id}/off`
pub(super) async fn off(
    State(shared): State<Shared>,
    caller: Caller,
    view: View,
    Segment(id): Segment,
) -> Result<Json<wire::InstanceView>, Fault> {
    change(&shared, &caller, &view, &id, TimeChange::SwitchOff).await
}

/// `POST /v1/instances/{id}/on`
pub(super) async fn on(
    State(shared): State<Shared>,
    caller: Caller,
    view: View,
    Segment(id): Segment,
) -> Result<Json<wire::InstanceView>, Fault> {
    change(&shared, &caller, &view, &id, TimeChange::SwitchOn).await
}

/// `POST /v1/instances/{id}/reset`
pub(super) async fn reset(
    State(shared): State<Shared>,
    caller: Caller,
    view: View,
    Segment(id): Segment,
) -> Result<Json<wire::InstanceView>, Fault> {
    change(&shared, &caller, &view, &id, TimeChange::Reset).await
}

async fn change(
    shared: &Shared,
    caller: &Caller,
    view: &View,
    id: &str,
    change: TimeChange,
) -> Result<Json<wire::InstanceView>, Fault> {
    let found = view.instance(id).await?;
    let control = &shared.app.control;
    let instance = control.change_times(caller, found.instance.id, change).await?;
    Ok(Json(view.show(InstanceView { instance, ..found })))
}
