//! Limits, the queue of those that wait because of them, and pauses.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use orchestrator_api_types::{self as wire, Page, QueueQuery};
use orchestrator_model::PauseScope;

use super::body::JsonBody;
use super::caller::Caller;
use super::params::{Params, limit};
use super::problem::Fault;
use super::routes::Shared;
use super::wire::IntoWire;

/// `GET /v1/limits`
pub(super) async fn show(State(shared): State<Shared>) -> Result<Json<wire::Limits>, Fault> {
    Ok(Json(shared.app.control.limits()?.into_wire()))
}

/// `GET /v1/queue`
///
/// In the order of their turns. A cursor is a place in that order.
pub(super) async fn queue(
    State(shared): State<Shared>,
    Params(query): Params<QueueQuery>,
) -> Result<Json<Page<wire::Waiting>>, Fault> {
    let limit = limit(query.limit)?.unwrap_or(1);
    let bad = |cursor: &str| Fault::from(orchestrator_store::StoreError::BadCursor(cursor.to_owned()));
    let place = |cursor: &str| cursor.parse::<u64>().map_err(|_| bad(cursor));
    let after = query.after.as_deref().map_or(Ok(0), place)?;
    let mut items = shared.app.control.waiting()?;
    let is_meant = |link: &str| query.link.as_deref().is_none_or(|meant| meant == link);
    items.retain(|item| item.place > after && is_meant(&item.share.link));
    let limit = usize::try_from(limit).unwrap_or(1);
    let has_more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| has_more).map(|last| last.place.to_string());
    Ok(Json(Page {
        items: items.into_wire(),
        next,
    }))
}

/// `POST /v1/pause`
pub(super) async fn pause(
    State(shared): State<Shared>,
    caller: Caller,
    body: JsonBody<wire::PauseScope>,
) -> Result<Json<wire::Limits>, Fault> {
    let paused = shared
        .app
        .control
        .pause(&caller, read(body.read("what to pause or to resume")?)?)
        .await?;
    Ok(Json(paused.into_wire()))
}

/// `POST /v1/resume`
pub(super) async fn resume(
    State(shared): State<Shared>,
    caller: Caller,
    body: JsonBody<wire::PauseScope>,
) -> Result<Json<wire::Limits>, Fault> {
    let paused = shared
        .app
        .control
        .resume(&caller, read(body.read("what to pause or to resume")?)?)
        .await?;
    Ok(Json(paused.into_wire()))
}

/// Reads what is to be paused or resumed.
fn read(scope: wire::PauseScope) -> Result<PauseScope, Fault> {
    match (scope.link, scope.template) {
        (None, None) => Ok(PauseScope::All),
        (Some(link), None) => Ok(PauseScope::Link(link)),
        (None, Some(template)) => Ok(PauseScope::Template(template)),
        (Some(_), Some(_)) => {
            let detail = "name a link or a template, not both";
            Err(Fault::new(StatusCode::BAD_REQUEST, "bad-body", detail))
        }
    }
}
