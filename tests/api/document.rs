//! Holds answers against the OpenAPI document: what is not in it must not be answered.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use serde_json::{Map, Value};

use crate::http::Answer;

/// The document.
pub(crate) fn document() -> &'static Value {
    orchestrator::api::openapi()
}

/// Codes that any request may be answered with, whatever its route: it could not be read, or did not come through.
const ANYWHERE: &[&str] = &[
    "bad-body",
    "bad-chunk",
    "bad-host",
    "bad-request",
    "body-broke-off",
    "body-too-large",
    "body-too-slow",
    "foreign-host",
    "foreign-origin",
    "head-too-large",
    "head-too-slow",
    "method-not-allowed",
    "not-allowed",
    "not-found",
    "not-json",
    "too-many-connections",
    "too-slow",
    "unknown-transfer-coding",
    "unix-socket-only",
    "bad-authorization",
    "bad-signature",
    "cannot-be-signed",
    "signature-replayed",
    "signature-untimely",
    "signed-before-start",
    "token-does-not-sign",
    "token-ended",
    "token-missing",
    "token-only-signs",
    "token-unknown",
    "too-many-signed",
];

/// Every operation: its verb, its path, and what the document says of it.
pub(crate) fn operations() -> Vec<(String, &'static str, &'static Value)> {
    let mut all = Vec::new();
    for (path, verbs) in document()["paths"].as_object().expect("paths") {
        for (verb, operation) in verbs.as_object().expect("verbs") {
            all.push((verb.to_uppercase(), path.as_str(), operation));
        }
    }
    all
}

/// The operation that a request asks for; `None` where the document has none.
pub(crate) fn operation(method: &str, target: &str) -> Option<&'static Value> {
    let path = target.split('?').next().unwrap_or_default();
    let found = operations()
        .into_iter()
        .find(|(verb, of, _)| verb == method && fits(of, path));
    found.map(|(_, _, operation)| operation)
}

fn fits(of: &str, path: &str) -> bool {
    if let Some(of) = of.strip_suffix("/{path}") {
        // A path within a path.
        return path
            .strip_prefix(of)
            .is_some_and(|rest| rest.len() > 1 && rest.starts_with('/'));
    }
    let (mut named, mut asked) = (of.split('/'), path.split('/'));
    loop {
        match (named.next(), asked.next()) {
            (None, None) => return true,
            (Some(name), Some(segment)) if name == segment || (name.starts_with('{') && !segment.is_empty()) => {}
            _ => return false,
        }
    }
}

/// Checks that the document allows an answer to a request.
#[track_caller]
pub(crate) fn check(method: &str, target: &str, answer: &Answer) {
    let Answer { status, body, .. } = answer;
    let media_type = answer.header("content-type").unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default();
    if let Err(fault) = allows(method, target, *status, media_type, body) {
        panic!(
            "{method} {target} was answered {status} {media_type}, which docs/openapi.json does not say: {fault}\n{body}"
        );
    }
}

/// Says why the document does not allow an answer.
pub(crate) fn allows(method: &str, target: &str, status: u16, media_type: &str, body: &str) -> Result<(), String> {
    let described = operation(method, target).map(|operation| &operation["responses"]);
    let response = described.and_then(|responses| responses.get(status.to_string()));
    if media_type == "application/problem+json" {
        let problem: Value = serde_json::from_str(body).map_err(|fault| fault.to_string())?;
        validate(&problem, &document()["components"]["schemas"]["Problem"], "problem")?;
        let code = problem["code"].as_str().unwrap_or_default();
        let listed = response.and_then(|response| response["x-codes"].as_array());
        let is_listed = listed.is_some_and(|codes| codes.iter().any(|listed| listed == code));
        return match is_listed || ANYWHERE.contains(&code) {
            true => Ok(()),
            false => Err(format!("the code {code:?} is not listed with {status}")),
        };
    }
    let Some(response) = response else {
        return Err("there is no such route, or it has no such status".to_owned());
    };
    let content = response.get("content").and_then(Value::as_object);
    let described = match (content, media_type) {
        (None, "") if body.is_empty() => return Ok(()),
        (Some(content), kind) => content.get(kind),
        (None, _) => None,
    };
    let described = described.ok_or_else(|| format!("{media_type:?} is none of its media types"))?;
    match media_type {
        "application/json" => {
            let value: Value = serde_json::from_str(body).map_err(|fault| fault.to_string())?;
            validate(&value, &described["schema"], "body")
        }
        _ => Ok(()),
    }
}

/// Says where a value is not what a schema says. An object has no key that its schema does not name.
///
/// It knows the words of JSON Schema that the document uses, and fails on any other.
pub(crate) fn validate(value: &Value, schema: &Value, at: &str) -> Result<(), String> {
    // The document itself may be anything.
    if schema == &Value::Bool(true) {
        return Ok(());
    }
    let schema = schema
        .as_object()
        .ok_or_else(|| format!("{at}: the schema is {schema}"))?;
    for (word, says) in schema {
        match word.as_str() {
            "description" | "default" | "title" => {}
            "$ref" => {
                let pointer = says
                    .as_str()
                    .and_then(|says| says.strip_prefix('#'))
                    .unwrap_or_default();
                let referred = document().pointer(pointer);
                validate(
                    value,
                    referred.ok_or_else(|| format!("{at}: {pointer} leads nowhere"))?,
                    at,
                )?;
            }
            "type" => check_type(value, says, at)?,
            "enum" => require(says.as_array().is_some_and(|all| all.contains(value)), at, value, says)?,
            "const" => require(value == says, at, value, says)?,
            "anyOf" => {
                let fits = says
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|one| validate(value, one, at).is_ok());
                require(fits, at, value, says)?;
            }
            "oneOf" => {
                let all = says.as_array().into_iter().flatten();
                let fitting = all.filter(|one| validate(value, one, at).is_ok()).count();
                require(fitting == 1, at, value, says)?;
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    validate(item, says, &format!("{at}[{index}]"))?;
                }
            }
            "required" => {
                for key in says.as_array().into_iter().flatten().filter_map(Value::as_str) {
                    let there = value.as_object().is_none_or(|value| value.contains_key(key));
                    require(there, &format!("{at}.{key}"), value, says)?;
                }
            }
            "properties" => {}
            "additionalProperties" => {}
            // Words about numbers say nothing of anything else.
            "minimum" => require(!value.is_number() || value.as_f64() >= says.as_f64(), at, value, says)?,
            "maximum" => require(!value.is_number() || value.as_f64() <= says.as_f64(), at, value, says)?,
            "minLength" => {
                let length = value.as_str().map_or(0, str::len) as u64;
                require(Some(length) >= says.as_u64(), at, value, says)?;
            }
            "pattern" => require(matches(value, says.as_str().unwrap_or_default()), at, value, says)?,
            "format" => require(has_format(value, says.as_str().unwrap_or_default()), at, value, says)?,
            other => return Err(format!("{at}: the validator does not know {other:?}")),
        }
    }
    check_keys(value, schema, at)
}

fn require(holds: bool, at: &str, value: &Value, says: &Value) -> Result<(), String> {
    match holds {
        true => Ok(()),
        false => Err(format!("{at}: {value} is not {says}")),
    }
}

/// Each key of an object is named by its schema, and is what the schema says of it.
fn check_keys(value: &Value, schema: &Map<String, Value>, at: &str) -> Result<(), String> {
    let Some(value) = value.as_object() else { return Ok(()) };
    let named = schema.get("properties").and_then(Value::as_object);
    let others = schema.get("additionalProperties");
    if named.is_none() && others.is_none() {
        // What it is, is said elsewhere in the schema: by a reference, or by one of several.
        let elsewhere = ["$ref", "anyOf", "oneOf"].iter().any(|word| schema.contains_key(*word));
        return match elsewhere || schema.is_empty() || schema.contains_key("type") {
            true if elsewhere || value.is_empty() || schema.is_empty() => Ok(()),
            _ => Err(format!("{at}: no key of {value:?} is in the schema")),
        };
    }
    for (key, value) in value {
        if others == Some(&Value::Bool(true)) && named.is_none_or(|named| !named.contains_key(key)) {
            continue;
        }
        let at = format!("{at}.{key}");
        let of = named
            .and_then(|named| named.get(key))
            .or(others.filter(|others| others.is_object()));
        validate(value, of.ok_or_else(|| format!("{at} is not in the schema"))?, &at)?;
    }
    Ok(())
}

fn check_type(value: &Value, says: &Value, at: &str) -> Result<(), String> {
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    let fits = match says {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(is),
        _ => false,
    };
    require(fits, at, value, says)
}

/// The patterns that the document has, without a library for them.
fn matches(value: &Value, pattern: &str) -> bool {
    let Some(text) = value.as_str() else { return true };
    let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    match pattern {
        "^[0-9a-f]{12}$" => text.len() == 12 && text.bytes().all(is_hex),
        "^[0-9a-f]{2}(:[0-9a-f]{2})+$" => text.split(':').all(|two| two.len() == 2 && two.bytes().all(is_hex)),
        "^(never|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\\.[0-9]+)?Z)$" => {
            text == "never" || (text.len() >= 20 && text.as_bytes()[10] == b'T' && text.ends_with('Z'))
        }
        "^[0-9a-f:.]+/[0-9]{1,3}$" => text.parse::<ipnet::Ipv6Net>().is_ok(),
        _ => false,
    }
}

fn has_format(value: &Value, format: &str) -> bool {
    match (format, value) {
        (_, Value::Null) => true,
        ("ipv6", Value::String(text)) => text.parse::<Ipv6Addr>().is_ok(),
        ("uint64", value) => value.is_u64(),
        ("uint32", value) => value.as_u64().is_some_and(|value| u32::try_from(value).is_ok()),
        ("uint16", value) => value.as_u64().is_some_and(|value| u16::try_from(value).is_ok()),
        ("uint8", value) => value.as_u64().is_some_and(|value| u8::try_from(value).is_ok()),
        ("int64", value) => value.is_i64(),
        _ => false,
    }
}

#[test]
fn the_validator_finds_what_is_wrong() {
    let good = serde_json::json!({"status": "ok", "version": "1"});
    let text = good.to_string();
    assert_eq!(allows("GET", "/v1/health", 200, "application/json", &text), Ok(()));
    let wrong = [
        ("GET", "/v1/health", 200, "application/json", r#"{"status":"ok"}"#),
        (
            "GET",
            "/v1/health",
            200,
            "application/json",
            r#"{"status":7,"version":"1"}"#,
        ),
        (
            "GET",
            "/v1/health",
            200,
            "application/json",
            r#"{"status":"ok","version":"1","more":1}"#,
        ),
        ("GET", "/v1/health", 201, "application/json", &text),
        ("GET", "/v1/health", 200, "text/plain", &text),
        ("GET", "/v1/elsewhere", 200, "application/json", &text),
        ("POST", "/v1/health", 200, "application/json", &text),
        (
            "GET",
            "/v1/instances",
            200,
            "application/json",
            r#"{"items":[{"id":"x"}],"next":null}"#,
        ),
    ];
    for (method, path, status, kind, body) in wrong {
        assert!(
            allows(method, path, status, kind, body).is_err(),
            "{method} {path} {status} {kind} {body}"
        );
    }
    let problem = |code: &str| {
        let body = serde_json::json!({"type": "about:blank", "title": "t", "status": 404, "code": code, "detail": "d"});
        allows(
            "GET",
            "/v1/clients/x",
            404,
            "application/problem+json",
            &body.to_string(),
        )
    };
    assert_eq!(problem("no-such-client"), Ok(()));
    assert!(problem("no-such-instance").is_err());
    let paths: BTreeSet<_> = operations().into_iter().map(|(_, path, _)| path).collect();
    assert!(paths.len() > 12, "{paths:?}");
}
