//! Versions in headers: `ETag` in answers, `If-Match` in requests for changes (RFC 9110, sections 8.8.3 and 13.1.1).

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use super::describe::{Operation, Output, Schemas, describe_json};
use super::problem::Fault;
use super::routes::Shared;

/// The version that a request expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfMatch {
    /// The request names none.
    Missing,
    /// Any version: `*`.
    Any,
    /// This version.
    Version(u64),
}

impl FromRequestParts<Shared> for IfMatch {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Fault> {
        let Some(given) = parts.headers.get(header::IF_MATCH) else {
            return Ok(Self::Missing);
        };
        match given.to_str().unwrap_or_default().trim() {
            "*" => Ok(Self::Any),
            tag => {
                let number = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
                let version = number.and_then(|number| number.parse().ok());
                let fault =
                    || Fault::bad_parameter("If-Match is no version; give the ETag that was answered, like \"3\"");
                version.map(Self::Version).ok_or_else(fault)
            }
        }
    }
}

/// An answer with the version of its content.
pub(super) struct Tagged<T> {
    pub(super) version: u64,
    pub(super) body: T,
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", self.version)) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

impl<T: JsonSchema> Output for Tagged<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        describe_json::<T>(StatusCode::OK, operation, schemas);
    }
}
