//! The OpenAPI document, made from the routes.

use std::sync::LazyLock;

use axum::Json;
use orchestrator_api_types::Problem;
use serde_json::{Map, Value, json};

use super::describe::Schemas;
use super::table::table;

const ABOUT: &str = "\
Gives every IPv6 client on a network a container of its own, by nothing but its DHCPv6 lease.

The API is served on a unix socket, whose peers are known by their user, and on loopback where the settings say so. \
Lists come a page at a time: `limit` bounds a page, and `after` takes the `next` of the page before. Whatever is wrong \
is answered as a problem (RFC 9457) with a stable `code`. Keys are added to answers as the daemon grows: pass over those \
that you do not know.";

/// The document as it is served.
static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// The OpenAPI 3.1 document of the API, as JSON. The same program always gives the same text.
pub fn openapi() -> &'static Value {
    &DOCUMENT
}

/// `GET /openapi.json`
pub(super) async fn show() -> Json<Value> {
    Json(DOCUMENT.clone())
}

fn document() -> Value {
    let mut schemas = Schemas::default();
    let problem: Value = schemas.given::<Problem>().into();
    let mut paths: Map<String, Value> = Map::new();
    for route in table() {
        let operation = Value::Object(route.document(&mut schemas));
        let path = paths.entry(route.document_path()).or_insert_with(|| json!({}));
        path[route.verb.word()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "orchestrator",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "http://localhost", "description": "Over the unix socket, or on loopback." }],
        "paths": paths,
        "components": {
            "schemas": schemas.into_named(),
            "responses": {
                "Problem": {
                    "description": "What may be wrong with any request; docs/api.md lists the codes.",
                    "content": { "application/problem+json": { "schema": problem } },
                },
            },
        },
    })
}
