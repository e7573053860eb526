//! The input of handlers, as the document shows it.

use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde_json::{Value, json};

use super::{Operation, Schemas};
use crate::body::{JsonBody, OptionalBody};
use crate::caller::Caller;
use crate::connection::Connection;
use crate::params::{KeyPath, Params, Segment};
use crate::resume::LastEventId;
use crate::routes::Shared;
use crate::tag::IfMatch;
use crate::templates::{TemplateName, VersionPath};
use crate::tokens::TokenName;
use crate::view::View;

/// Something that a handler takes.
pub(crate) trait Input {
    /// Adds it to an operation.
    fn describe(operation: &mut Operation, schemas: &mut Schemas);
}

/// Implements the trait for extractors that are not part of the documented request.
macro_rules! unseen {
    ($($type:ty),+) => {
        $(impl Input for $type {
            fn describe(_: &mut Operation, _: &mut Schemas) {}
        })+
    };
}

unseen!(State<Shared>, Extension<Connection>, Caller, HeaderMap);

impl<A: Input, B: Input> Input for (A, B) {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        A::describe(operation, schemas);
        B::describe(operation, schemas);
    }
}

impl Input for View {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        for code in ["store-away", "store-lost", "store-damaged"] {
            operation.fails(StatusCode::SERVICE_UNAVAILABLE, code);
        }
    }
}

impl Input for Segment {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.parameter("path", "id", true, json!({ "type": "string" }));
    }
}

impl Input for KeyPath {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        Segment::describe(operation, schemas);
        operation.parameter("path", "fingerprint", true, json!({ "type": "string" }));
    }
}

impl Input for TokenName {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.parameter("path", "name", true, json!({ "type": "string" }));
    }
}

impl Input for TemplateName {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        operation.parameter("path", "name", true, json!({ "type": "string" }));
    }
}

impl Input for VersionPath {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        TemplateName::describe(operation, schemas);
        operation.parameter("path", "version", true, json!({ "type": "integer" }));
    }
}

impl Input for IfMatch {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let description = "The version that is changed, as `ETag` gave it, or `*` for any. When another one counts, \
                           nothing is done.";
        let schema = json!({ "description": description, "type": "string" });
        operation.parameter("header", "If-Match", false, schema);
        operation.fails(StatusCode::BAD_REQUEST, "bad-parameter");
    }
}

impl Input for LastEventId {
    fn describe(operation: &mut Operation, _: &mut Schemas) {
        let description = "For a stream: the number of the last event that was received. It goes on after that one.";
        let schema = json!({ "description": description, "type": "integer" });
        operation.parameter("header", "Last-Event-ID", false, schema);
        operation.fails(StatusCode::BAD_REQUEST, "bad-parameter");
    }
}

impl<T: JsonSchema> Input for Params<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        let schema = schemas.taken_in_place::<T>().to_value();
        let required = schema.get("required").and_then(Value::as_array);
        let is_required = |name: &str| required.is_some_and(|all| all.iter().any(|one| one == name));
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, schema) in properties.into_iter().flatten() {
            operation.parameter("query", name, is_required(name), without_null(schema.clone()));
        }
        operation.fails(StatusCode::BAD_REQUEST, "bad-parameter");
        // A cursor is a text; where `after` is a number, it is what anybody may name.
        if schema
            .pointer("/properties/after/type")
            .is_some_and(|kind| !is_number(kind))
        {
            operation.fails(StatusCode::BAD_REQUEST, "bad-cursor");
        }
    }
}

impl<T: JsonSchema> Input for OptionalBody<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        JsonBody::<T>::describe(operation, schemas);
        operation.may_take(schemas.taken::<T>());
    }
}

impl<T: JsonSchema> Input for JsonBody<T> {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        operation.takes(schemas.taken::<T>());
        operation.fails(StatusCode::BAD_REQUEST, "bad-body");
        operation.fails(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not-json");
    }
}

fn is_number(kind: &Value) -> bool {
    kind == "integer"
        || kind
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(|kind| kind == "integer"))
}

/// A parameter that may be left out, without the `null` that it cannot be in a query.
fn without_null(mut schema: Value) -> Value {
    if let Some(types) = schema.get_mut("type").and_then(Value::as_array_mut) {
        types.retain(|kind| kind != "null");
        if let [one] = types.as_slice() {
            schema["type"] = one.clone();
        }
    }
    if let Some(keys) = schema.as_object_mut()
        && let Some(Value::Array(of)) = keys.remove("anyOf")
    {
        let mut of: Vec<Value> = of.into_iter().filter(|one| one["type"] != "null").collect();
        match (of.pop(), of.is_empty()) {
            (Some(Value::Object(one)), true) => {
                for (key, value) in one {
                    keys.entry(key).or_insert(value);
                }
            }
            (last, _) => {
                of.extend(last);
                keys.insert("anyOf".to_owned(), Value::Array(of));
            }
        }
    }
    schema
}
