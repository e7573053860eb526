//! The output of handlers, as the document shows it.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{Operation, Schemas};
use crate::problem::Fault;

const JSON: &str = "application/json";

/// Something that a handler returns.
pub(crate) trait Output {
    /// Adds it to an operation.
    fn describe(operation: &mut Operation, schemas: &mut Schemas);
}

impl<T: Output> Output for Result<T, Fault> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        T::describe(operation, schemas);
    }
}

impl<T: JsonSchema> Output for Json<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        describe_json::<T>(StatusCode::OK, operation, schemas);
    }
}

/// Adds an answer of JSON.
pub(crate) fn describe_json<T: JsonSchema>(status: StatusCode, operation: &mut Operation, schemas: &mut Schemas) {
    let schema: Value = schemas.given::<T>().into();
    operation.answers(status, JSON, schema);
}

/// An answer of a status of its own.
macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $status:ident;)+) => {
        $(
            $(#[$doc])*
            pub(crate) struct $name<T>(pub(crate) T);

            impl<T: Serialize> IntoResponse for $name<T> {
                fn into_response(self) -> Response {
                    (StatusCode::$status, Json(self.0)).into_response()
                }
            }

            impl<T: JsonSchema> Output for $name<T> {
                fn describe(operation: &mut Operation, schemas: &mut Schemas) {
                    describe_json::<T>(StatusCode::$status, operation, schemas);
                }
            }
        )+
    };
}

statuses! {
    /// Something was made: 201, and what it is.
    Created = CREATED;
    /// Something has begun: 202, and what it is.
    Accepted = ACCEPTED;
}

/// It is done, and there is nothing to show: 204.
pub(crate) struct NoContent;

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl Output for NoContent {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.answers_nothing(StatusCode::NO_CONTENT);
    }
}
