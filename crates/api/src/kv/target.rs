//! The input of requests for keys: the path, and the value as it is.

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use orchestrator_model::KvPath;
use serde_json::json;

use crate::body::LARGEST_BODY;
use crate::describe::{Input, Operation, Schemas};
use crate::problem::Fault;
use crate::routes::Shared;

/// The path of a key, or of a namespace.
pub(crate) struct KvTarget(pub(crate) KvPath);

impl FromRequestParts<Shared> for KvTarget {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Fault> {
        let Ok(Path(text)) = Path::<String>::from_request_parts(parts, shared).await else {
            return Err(Fault::not_found(parts.uri.path()));
        };
        text.parse()
            .map(Self)
            .map_err(|fault: orchestrator_model::KvPathError| {
                Fault::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-key-path", fault.to_string())
            })
    }
}

impl Input for KvTarget {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let description = "NAMESPACE/KEY; the key may have slashes.";
        operation.parameter(
            "path",
            "path",
            true,
            json!({ "description": description, "type": "string" }),
        );
        operation.fails(StatusCode::UNPROCESSABLE_ENTITY, "bad-key-path");
    }
}

/// The body as it is, of whatever type.
pub(crate) struct Value(pub(crate) Bytes);

impl FromRequest<Shared> for Value {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &Shared) -> Result<Self, Fault> {
        // It is in memory already, and is no larger.
        let bytes = to_bytes(request.into_body(), LARGEST_BODY).await;
        bytes.map(Self).map_err(|_| {
            let detail = format!("the value has more than {LARGEST_BODY} bytes, or breaks off");
            Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "value-too-large", detail)
        })
    }
}

impl Input for Value {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.takes_bytes("application/octet-stream");
        operation.fails(StatusCode::PAYLOAD_TOO_LARGE, "value-too-large");
    }
}
