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

/// Adds a JSON answer.
pub(crate) fn describe_json<T: JsonSchema>(status: StatusCode, operation: &mut Operation, schemas: &mut Schemas) {
    let schema: Value = schemas.given::<T>().into();
    operation.answers(status, JSON, schema);
}

/// Types of answers with a fixed status.
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
    /// 201: something was created. The body shows it.
    Created = CREATED;
    /// 202: something has begun. The body shows it.
    Accepted = ACCEPTED;
}

/// 204: the request succeeded, and there is nothing to show.
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
