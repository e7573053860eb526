//! The position at which a stream of events resumes.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::problem::Fault;
use super::routes::Shared;

/// The number of the last event that a reader received, from its `Last-Event-ID` header.
pub(super) struct LastEventId(pub(super) Option<i64>);

impl FromRequestParts<Shared> for LastEventId {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Fault> {
        let Some(id) = parts.headers.get("last-event-id") else {
            return Ok(Self(None));
        };
        match id.to_str().ok().and_then(|id| id.parse().ok()) {
            Some(id) => Ok(Self(Some(id))),
            None => Err(Fault::bad_parameter(
                "Last-Event-ID is not the id of an event, which is a number",
            )),
        }
    }
}
