//! One operation of the document: the input, the answers and the problems of a route.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use schemars::Schema;
use serde_json::{Map, Value, json};

/// The input and output of a route, from its handler's signature.
#[derive(Debug, Default)]
pub(crate) struct Operation {
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<u16, Answer>,
    problems: BTreeMap<u16, BTreeSet<&'static str>>,
}

/// The answers with one status.
#[derive(Debug, Default)]
struct Answer {
    /// Schemas by media type.
    content: Map<String, Value>,
}

impl Operation {
    /// Adds a parameter. `place` is `path`, `query` or `header`.
    pub(crate) fn parameter(&mut self, place: &str, name: &str, required: bool, mut schema: Value) {
        let description = match &mut schema {
            Value::Object(keys) => keys.remove("description"),
            _ => None,
        };
        let mut parameter = json!({ "in": place, "name": name, "required": required, "schema": schema });
        if let Some(description) = description {
            parameter["description"] = description;
        }
        self.parameters.push(parameter);
    }

    /// Adds the body of the request, which is JSON.
    pub(crate) fn takes(&mut self, schema: Schema) {
        self.body = Some(json!({ "required": true, "content": { "application/json": { "schema": schema } } }));
    }

    /// Adds a body of the request that may be left out.
    pub(crate) fn may_take(&mut self, schema: Schema) {
        self.body = Some(json!({ "required": false, "content": { "application/json": { "schema": schema } } }));
    }

    /// Adds the body of the request, which is bytes of this media type.
    pub(crate) fn takes_bytes(&mut self, media_type: &str) {
        let schema = json!({ "type": "string", "format": "binary" });
        self.body = Some(json!({ "required": true, "content": { media_type: { "schema": schema } } }));
    }

    /// Adds an answer without a body.
    pub(crate) fn answers_nothing(&mut self, status: StatusCode) {
        self.answers.entry(status.as_u16()).or_default();
    }

    /// Adds an answer of this media type.
    pub(crate) fn answers(&mut self, status: StatusCode, media_type: &str, schema: Value) {
        let answer = self.answers.entry(status.as_u16()).or_default();
        answer
            .content
            .insert(media_type.to_owned(), json!({ "schema": schema }));
    }

    /// Adds a problem that the route may answer.
    pub(crate) fn fails(&mut self, status: StatusCode, code: &'static str) {
        self.problems.entry(status.as_u16()).or_default().insert(code);
    }

    /// Converts the operation into its form in the document. `problem` is the schema of problems.
    pub(crate) fn into_document(self, problem: &Value) -> Map<String, Value> {
        let mut responses: BTreeMap<u16, (Vec<String>, Map<String, Value>)> = BTreeMap::new();
        for (status, answer) in self.answers {
            let title = reason(status);
            responses.insert(status, (vec![title], answer.content));
        }
        let problems = self.problems;
        for (status, codes) in &problems {
            let (described, content) = responses.entry(*status).or_default();
            let codes: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
            described.push(format!("Problem: {}", codes.join(", ")));
            content.insert("application/problem+json".to_owned(), json!({ "schema": problem }));
        }
        let mut shown = Map::new();
        for (status, (described, content)) in responses {
            let mut response = json!({ "description": described.join(". ") });
            if !content.is_empty() {
                response["content"] = Value::Object(content);
            }
            if let Some(codes) = problems.get(&status) {
                response["x-codes"] = json!(codes);
            }
            shown.insert(status.to_string(), response);
        }
        shown.insert(
            "default".to_owned(),
            json!({ "$ref": "#/components/responses/Problem" }),
        );
        let mut operation = Map::new();
        if !self.parameters.is_empty() {
            operation.insert("parameters".to_owned(), Value::Array(self.parameters));
        }
        operation.extend(self.body.map(|body| ("requestBody".to_owned(), body)));
        operation.insert("responses".to_owned(), Value::Object(shown));
        operation
    }
}

fn reason(status: u16) -> String {
    let status = StatusCode::from_u16(status).ok();
    status
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Answer")
        .to_owned()
}
