//! Extractors for handlers. Input that cannot be read is answered with a problem.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Fault;
use super::routes::Shared;
use orchestrator_store::{MAX_LIMIT, Name};

/// Rows of a list unless the request says how many.
const DEFAULT_LIMIT: u32 = 500;

/// The query, read into a struct that knows all its keys.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Shared> for Params<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Fault> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => Err(Fault::bad_parameter(error.body_text())),
        }
    }
}

/// The last segment of the path.
pub(super) struct Segment(pub(super) String);

impl FromRequestParts<Shared> for Segment {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Fault> {
        match Path::<String>::from_request_parts(parts, shared).await {
            Ok(Path(segment)) => Ok(Self(segment)),
            Err(_) => Err(Fault::not_found(parts.uri.path())),
        }
    }
}

/// A client and the fingerprint of an SSH key, in a path.
pub(super) struct KeyPath {
    pub(super) client: String,
    pub(super) fingerprint: String,
}

impl FromRequestParts<Shared> for KeyPath {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Fault> {
        match Path::<(String, String)>::from_request_parts(parts, shared).await {
            Ok(Path((client, fingerprint))) => Ok(Self { client, fingerprint }),
            Err(_) => Err(Fault::not_found(parts.uri.path())),
        }
    }
}

/// The name of a client or an instance, if one is given.
pub(super) fn name(given: Option<&str>) -> Result<Option<Name>, Fault> {
    let read = |text| Name::new(text).ok_or_else(|| Fault::bad_parameter("name is empty, or longer than any name"));
    given.map(read).transpose()
}

/// The limit of a list.
pub(super) fn limit(asked: Option<u32>) -> Result<Option<u32>, Fault> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(Some(limit)),
        limit => Err(Fault::bad_parameter(format!(
            "limit is {limit}; it takes 1 to {MAX_LIMIT}"
        ))),
    }
}
