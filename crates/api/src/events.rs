//! The timeline, as a list or as a stream.

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use orchestrator_api_types::{Event, EventQuery, Page};
use orchestrator_store::EventFilter;

use super::connection::Connection;
use super::describe::{Operation, Output, Schemas, describe_json};
use super::follow::follow;
use super::params::{Params, limit};
use super::problem::Fault;
use super::resume::LastEventId;
use super::routes::Shared;
use super::view::View;

/// A page of the timeline, or a stream of its new events.
pub(super) enum Timeline {
    /// A page.
    Page(Page<Event>),
    /// A stream with one event in each message.
    Stream(Response),
}

impl IntoResponse for Timeline {
    fn into_response(self) -> Response {
        match self {
            Self::Page(page) => Json(page).into_response(),
            Self::Stream(stream) => stream,
        }
    }
}

impl Output for Timeline {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        describe_json::<Page<Event>>(StatusCode::OK, operation, schemas);
        let event = schemas.given::<Event>().into();
        operation.answers(StatusCode::OK, "text/event-stream", event);
    }
}

/// `GET /v1/events`
///
/// Without `after`, the page has the last events; with `after`, the first ones after it. A stream begins after the
/// event that `Last-Event-ID` or `after` names, or else now.
pub(super) async fn list(
    (State(shared), Extension(connection)): (State<Shared>, Extension<Connection>),
    view: View,
    Params(query): Params<EventQuery>,
    LastEventId(last): LastEventId,
    headers: HeaderMap,
) -> Result<Timeline, Fault> {
    let filter = EventFilter {
        after: query.after,
        before: query.before,
        link: query.link,
        client: query.client,
        instance: query.instance,
        latest: query.after.is_none(),
        limit: limit(query.limit)?,
    };
    if !wants_stream(&headers) {
        return Ok(Timeline::Page(view.events(filter).await?));
    }
    if query.before.is_some() || query.limit.is_some() {
        return Err(Fault::bad_parameter(
            "a stream has no end: leave `before` and `limit` out",
        ));
    }
    let after = last.or(query.after);
    let filter = EventFilter {
        after,
        latest: false,
        ..filter
    };
    let stream = follow(&shared, &connection, view.into_store(), filter).await?;
    Ok(Timeline::Stream(stream))
}

pub(super) fn wants_stream(headers: &HeaderMap) -> bool {
    let accepted = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok());
    accepted
        .flat_map(|value| value.split(','))
        .any(|kind| kind.trim().starts_with("text/event-stream"))
}
