//! The OpenAPI document is the committed one, and it is sound.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// The environment variable that makes the test write the document anew:
/// `UPDATE_OPENAPI=1 cargo test -p orchestrator-api --test openapi`, or `make openapi`.
const UPDATE: &str = "UPDATE_OPENAPI";

fn document() -> &'static Value {
    orchestrator_api::openapi()
}

/// Every operation, with its path and its verb.
fn operations() -> Vec<(&'static str, &'static str, &'static Value)> {
    let paths = document()["paths"].as_object().unwrap();
    let of_path = |(path, verbs): (&'static String, &'static Value)| {
        let verbs = verbs.as_object().unwrap();
        verbs
            .iter()
            .map(move |(verb, operation)| (path.as_str(), verb.as_str(), operation))
    };
    paths.iter().flat_map(of_path).collect()
}

#[test]
fn the_committed_document_is_that_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let text = format!("{}\n", serde_json::to_string_pretty(document()).unwrap());
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "docs/openapi.json is not what the code says; `make openapi` writes it anew, and git shows what differs"
    );
}

#[test]
fn every_operation_says_what_it_does_what_it_answers_and_whom() {
    let mut ids = BTreeSet::new();
    for (path, verb, operation) in operations() {
        let text = |key: &str| operation[key].as_str().unwrap_or_default().to_owned();
        assert!(text("summary").len() > 10, "{verb} {path} has no summary");
        assert!(
            !text("summary").ends_with('.'),
            "{verb} {path}: a summary is no sentence"
        );
        assert!(
            ["hook", "viewer", "operator", "admin"].contains(&text("x-role").as_str()),
            "{verb} {path}"
        );
        assert!(ids.insert(text("operationId")), "{verb} {path}: two have one id");
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{verb} {path}");
        assert!(
            answers.contains_key("403") && answers.contains_key("default"),
            "{verb} {path}"
        );
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path").count();
        assert_eq!(in_path, path.matches('{').count(), "{verb} {path}");
        for parameter in parameters.iter().filter(|parameter| parameter["in"] != "path") {
            assert!(parameter["description"].is_string(), "{verb} {path}: {parameter}");
        }
    }
    assert!(ids.len() > 15, "{ids:?}");
}

#[test]
fn what_changes_something_needs_more_than_a_viewer() {
    for (path, verb, operation) in operations() {
        // A line changes nothing by itself: each of its requests needs the role of its own route.
        let reads = verb == "get" || path == "/v1/shell";
        assert_eq!(operation["x-role"] == "viewer", reads, "{verb} {path}");
    }
}

/// Every reference resolves, and every schema has a description and is used.
#[test]
fn references_lead_somewhere() {
    let mut references = BTreeSet::new();
    collect(document(), &mut references);
    for reference in &references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document().pointer(pointer).is_some(), "{reference}");
    }
    let schemas = document()["components"]["schemas"].as_object().unwrap();
    for (name, schema) in schemas {
        assert!(schema["description"].is_string(), "{name} says nothing of itself");
        assert!(
            references.contains(&format!("#/components/schemas/{name}")),
            "{name} is used nowhere"
        );
        for (key, of) in schema["properties"].as_object().into_iter().flatten() {
            assert!(of["description"].is_string(), "{name}.{key} says nothing of itself");
        }
    }
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(keys) => {
            for (key, value) in keys {
                match value.as_str() {
                    Some(reference) if key == "$ref" => drop(references.insert(reference.to_owned())),
                    _ => collect(value, references),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}
