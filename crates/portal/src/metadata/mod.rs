//! What the metadata service answers: one tree of facts, as text and as JSON.
//!
//! The tree is a JSON object. A path leads to a part of it. A text is answered as it is, a list one element a line, and
//! an object as the names in it, those of objects with a slash. Who accepts `application/json` gets the part as JSON.
//! `docs/metadata.md` describes the tree.

mod cloud_init;
mod tree;

use hyper::{Method, StatusCode};
use orchestrator_model::Timestamp;
use serde_json::Value;

use crate::facts::InstanceFacts;
use crate::{Request, Response};

/// Answers a request of the instance with these facts.
pub fn answer(request: &Request, facts: &InstanceFacts, now: Timestamp) -> Response {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return Response::text(
            StatusCode::METHOD_NOT_ALLOWED,
            "The metadata can only be read: use GET.\n",
        )
        .with("Allow", "GET, HEAD");
    }
    if let Some(found) = cloud_init::answer(&request.path, facts) {
        return found;
    }
    let tree = tree::of(facts, now);
    match find(&tree, &request.path) {
        Some(found) if request.wants_json() => Response::json(found),
        Some(found) => Response::text(StatusCode::OK, show(found)),
        None if request.path == "/v1.json" => Response::json(&tree["v1"]),
        None => Response::text(
            StatusCode::NOT_FOUND,
            format!(
                "There is nothing at {}. GET / lists what there is.\n",
                printable(&request.path)
            ),
        ),
    }
}

/// The part of the tree that a path leads to. Slashes at its ends do not count.
fn find<'t>(tree: &'t Value, path: &str) -> Option<&'t Value> {
    let mut names = path.split('/').filter(|name| !name.is_empty());
    names.try_fold(tree, |part, name| part.as_object()?.get(name))
}

fn show(part: &Value) -> String {
    match part {
        Value::Object(parts) => {
            let name = |(name, part): (&String, &Value)| match part.is_object() {
                true => format!("{name}/\n"),
                false => format!("{name}\n"),
            };
            parts.iter().map(name).collect()
        }
        Value::Array(list) => list.iter().map(show).collect(),
        // A text of several lines is a file, and is answered byte by byte.
        Value::String(text) if text.contains('\n') => text.clone(),
        Value::String(text) => format!("{text}\n"),
        other => format!("{other}\n"),
    }
}

/// A path for people: short, and without characters that a terminal obeys.
fn printable(path: &str) -> String {
    path.chars()
        .take(100)
        .map(|one| if one.is_control() { '?' } else { one })
        .collect()
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
