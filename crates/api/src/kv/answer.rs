//! Answers about keys: as JSON, as the bytes of one value, or as a stream of changes.

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orchestrator_api_types as wire;
use orchestrator_model::{KvChange, KvEntry, KvOwner, KvPath};
use orchestrator_store::KvListing;
use serde_json::json;

use crate::describe::{Operation, Output, Schemas, describe_json};
use crate::problem::Fault;

/// The header with the number to wait after.
const INDEX: HeaderName = HeaderName::from_static("x-index");
const BYTES: &str = "application/octet-stream";

/// What a read is answered with.
pub(crate) enum Read {
    /// Keys, or the bytes of a value, or that there is no such key.
    Answer(Response),
    /// A stream with one change in each message.
    Stream(Response),
}

impl IntoResponse for Read {
    fn into_response(self) -> Response {
        match self {
            Self::Answer(response) | Self::Stream(response) => response,
        }
    }
}

impl Output for Read {
    fn describe(operation: &mut Operation, schemas: &mut Schemas) {
        describe_json::<wire::KvPage>(StatusCode::OK, operation, schemas);
        operation.answers(StatusCode::OK, BYTES, json!({ "type": "string", "format": "binary" }));
        let change = schemas.given::<wire::KvChange>().into();
        operation.answers(StatusCode::OK, "text/event-stream", change);
    }
}

/// The answer to a read, with its index in a header, also where there is no such key: so a reader can wait for one.
pub(super) fn of(path: &KvPath, listing: KvListing, query: &wire::KvQuery) -> Result<Read, Fault> {
    let index = listing.index;
    let is_one = !query.recurse && !query.keys;
    let mut response = match (is_one, listing.entries.first()) {
        (true, None) => missing(path).into_response(),
        (true, Some(entry)) if query.raw => {
            let value = entry.value.clone().unwrap_or_default();
            ([(header::CONTENT_TYPE, BYTES)], value).into_response()
        }
        _ if query.raw => return Err(Fault::bad_parameter("`raw` is for the value of one key")),
        _ => Json(show_all(listing)).into_response(),
    };
    response.headers_mut().insert(INDEX, HeaderValue::from(index));
    Ok(Read::Answer(response))
}

fn missing(path: &KvPath) -> Fault {
    let detail = format!("there is no key {path}; add `?recurse` for those below it");
    Fault::new(StatusCode::NOT_FOUND, "no-such-key-path", detail)
}

pub(super) fn show_all(listing: KvListing) -> wire::KvPage {
    wire::KvPage {
        items: listing.entries.into_iter().map(show).collect(),
        index: listing.index,
    }
}

/// A key as the API shows it: the value as text if it is text, else in base64.
pub(super) fn show(entry: KvEntry) -> wire::KvEntry {
    let (value, base64) = match entry.value.map(String::from_utf8) {
        None => (None, None),
        Some(Ok(text)) => (Some(text), None),
        Some(Err(bytes)) => (None, Some(STANDARD.encode(bytes.as_bytes()))),
    };
    let (instance, lease) = match entry.owner {
        None => (None, None),
        Some(KvOwner::Instance(id)) => (Some(id), None),
        Some(KvOwner::Lease { link, address }) => (None, Some(format!("{link}/{address}"))),
    };
    wire::KvEntry {
        path: entry.path.to_string(),
        value,
        base64,
        size: entry.size,
        version: entry.version,
        created: entry.created,
        changed: entry.changed,
        instance,
        lease,
    }
}

pub(super) fn show_change(change: &KvChange) -> wire::KvChange {
    wire::KvChange {
        path: change.path.to_string(),
        version: change.version,
        removed: change.removed,
        at: change.at,
    }
}
