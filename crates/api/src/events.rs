//! The timeline: listed, or followed.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::connection::Caller;
use super::follow::follow;
use super::params::{Database, Params, limit};
use super::problem::Fault;
use super::routes::Shared;
use orchestrator_model::{ClientId, InstanceId};
use orchestrator_store::EventFilter;

/// The parameters of a list or a stream of events.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParams {
    after: Option<i64>,
    before: Option<i64>,
    link: Option<String>,
    client: Option<ClientId>,
    instance: Option<InstanceId>,
    limit: Option<u32>,
}

/// `GET /v1/events`
///
/// Without `after`, the last ones; with `after`, the first ones after it. A stream begins after the event that
/// `Last-Event-ID` or `after` names, or now.
pub(super) async fn list(
    State(shared): State<Shared>,
    Extension(caller): Extension<Caller>,
    Database(store): Database,
    Params(params): Params<ListParams>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let filter = EventFilter {
        after: params.after,
        before: params.before,
        link: params.link,
        client: params.client,
        instance: params.instance,
        latest: params.after.is_none(),
        limit: limit(params.limit)?,
    };
    if !wants_stream(&headers) {
        return Ok(Json(store.events(filter).await?).into_response());
    }
    if params.before.is_some() || params.limit.is_some() {
        return Err(Fault::bad_parameter(
            "a stream has no end: leave `before` and `limit` out",
        ));
    }
    let after = last_event_id(&headers)?.or(params.after);
    follow(
        &shared,
        &caller,
        store,
        EventFilter {
            after,
            latest: false,
            ..filter
        },
    )
    .await
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|kind| kind.trim().starts_with("text/event-stream"))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<i64>, Fault> {
    let Some(id) = headers.get("last-event-id") else {
        return Ok(None);
    };
    match id.to_str().ok().and_then(|id| id.parse().ok()) {
        Some(id) => Ok(Some(id)),
        None => Err(Fault::bad_parameter(
            "Last-Event-ID is not the id of an event, which is a number",
        )),
    }
}
