//! The JSON of Marathon, converted into the keys of a service. What has no counterpart is a warning with the name of the
//! key.
//!
//! The meaning of Marathon's keys is that of its REST API, `/v2/apps`.

mod constraints;
mod container;
mod health;
mod labels;
mod upgrade;

use serde_json::{Map, Value as Json, json};

use super::Document;

/// Whether these are the keys of an application of Marathon.
pub(super) fn is_marathon(keys: &Json) -> bool {
    let has = |key| keys.get(key).is_some();
    has("id") && !has("name") && ["instances", "container", "cmd"].into_iter().any(has)
}

/// Converts an application of Marathon.
pub(super) fn convert(app: &Json) -> Document {
    let mut out = Converted::default();
    let empty = Map::new();
    let app = app.as_object().unwrap_or(&empty);
    // The ports first: checks refer to them.
    if let Some(container) = app.get("container") {
        container::convert(container, &mut out);
    }
    for (key, value) in app {
        match key.as_str() {
            "id" => out.put_with(key, "name", value.as_str().map(name_of)),
            "instances" | "cpus" => out.put(key, value.clone()),
            "mem" => out.put_with(key, "memory", mebibytes(value)),
            "disk" => put_disk(value, &mut out),
            "cmd" => put_command(value, app.get("args"), &mut out),
            "args" if app.get("cmd").is_none_or(Json::is_null) => {
                out.put_with(key, "command", value.is_array().then(|| value.clone()));
            }
            // `cmd` warns of `args` beside it, and takes precedence.
            "container" | "args" => {}
            "env" => put_environment(value, &mut out),
            "labels" => labels::convert(value, &mut out),
            "healthChecks" => health::convert(value, &mut out),
            "constraints" => constraints::convert(value, &mut out),
            "upgradeStrategy" => upgrade::convert(value, app.get("instances"), &mut out),
            _ => out.unknown(key),
        }
    }
    Document {
        keys: Json::Object(out.keys),
        warnings: out.warnings,
    }
}

/// The keys of a service so far, and the warnings.
#[derive(Debug, Default)]
struct Converted {
    keys: Map<String, Json>,
    warnings: Vec<String>,
    /// Number and name of each port, in the order of the file.
    ports: Vec<(u64, String)>,
}

impl Converted {
    fn put(&mut self, key: &str, value: impl Into<Json>) {
        self.keys.insert(key.to_owned(), value.into());
    }

    /// Puts a value that could be converted, or warns about the key that it comes from.
    fn put_with(&mut self, from: &str, key: &str, value: Option<impl Into<Json>>) {
        match value {
            Some(value) => self.put(key, value),
            None => self.warn(from, "has another kind of value than Marathon takes, and is left out"),
        }
    }

    /// Sets a key of one of the tables of the service.
    fn put_in(&mut self, table: &str, key: &str, value: impl Into<Json>) {
        let table = self.keys.entry(table).or_insert_with(|| json!({}));
        if let Json::Object(keys) = table {
            keys.insert(key.to_owned(), value.into());
        }
    }

    fn warn(&mut self, key: &str, what: &str) {
        self.warnings.push(format!("{key}: {what}"));
    }

    fn unknown(&mut self, key: &str) {
        self.warn(key, "has no counterpart here, and is left out");
    }

    /// Warns about each key of a table that is not among the known ones.
    fn unknown_in(&mut self, path: &str, table: &Json, known: &[&str]) {
        let Json::Object(keys) = table else {
            self.warn(path, "is no table of keys, and is left out");
            return;
        };
        for key in keys.keys().filter(|key| !known.contains(&key.as_str())) {
            self.unknown(&format!("{path}.{key}"));
        }
    }
}

/// `/shop/web` is `shop-web`.
fn name_of(id: &str) -> String {
    id.trim_matches('/').replace('/', "-")
}

/// A number of MiB as text with a unit: in KiB if it is no whole number.
fn mebibytes(value: &Json) -> Option<String> {
    if let Some(whole) = value.as_u64() {
        return Some(format!("{whole}MiB"));
    }
    let kibibytes = (value.as_f64()? * 1024.0).ceil();
    (0.0..1e12).contains(&kibibytes).then(|| format!("{kibibytes:.0}KiB"))
}

/// Zero is no limit, as it is in Marathon.
fn put_disk(value: &Json, out: &mut Converted) {
    if value.as_f64() != Some(0.0) {
        out.put_with("disk", "disk", mebibytes(value));
    }
}

fn put_command(value: &Json, args: Option<&Json>, out: &mut Converted) {
    match value {
        Json::Null => {}
        Json::String(line) => {
            out.put("command", json!(["/bin/sh", "-c", line]));
            if args.is_some_and(|args| !args.is_null()) {
                out.warn("args", "stands beside cmd, and is left out");
            }
        }
        _ => out.put_with("cmd", "command", None::<Json>),
    }
}

fn put_environment(value: &Json, out: &mut Converted) {
    out.unknown_unless_table("env", value);
    for (name, value) in value.as_object().into_iter().flatten() {
        match text_of(value) {
            Some(text) => out.put_in("environment", name, text),
            None => {
                let what = "is no text, and is left out; name a source: { file = \"…\" } or { credential = \"…\" }";
                out.warn(&format!("env.{name}"), what);
            }
        }
    }
}

impl Converted {
    fn unknown_unless_table(&mut self, path: &str, value: &Json) {
        if !value.is_object() {
            self.warn(path, "is no table of keys, and is left out");
        }
    }
}

/// Text, or a number or a flag as text.
fn text_of(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(_) | Json::Bool(_) => Some(value.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}
