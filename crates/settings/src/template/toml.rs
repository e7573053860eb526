//! Keys of a template as TOML.

use serde_json::Value as Json;

/// Formats the keys as TOML: one on each line, with nested tables in braces.
pub fn write_toml(keys: &Json) -> String {
    let Json::Object(table) = keys else {
        return write_value(keys);
    };
    let lines = table
        .iter()
        .map(|(key, value)| format!("{} = {}\n", write_key(key), write_value(value)));
    lines.collect()
}

fn write_key(key: &str) -> String {
    let is_bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match !key.is_empty() && key.bytes().all(is_bare) {
        true => key.to_owned(),
        false => Json::from(key).to_string(),
    }
}

fn write_value(value: &Json) -> String {
    match value {
        Json::Object(table) => {
            let entries = table.iter();
            let entries = entries.map(|(key, value)| format!("{} = {}", write_key(key), write_value(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Json::Array(list) => format!("[{}]", list.iter().map(write_value).collect::<Vec<_>>().join(", ")),
        // JSON does not escape this character, but TOML requires it.
        Json::String(text) => Json::from(text.as_str()).to_string().replace('\u{7f}', "\\u007f"),
        other => other.to_string(),
    }
}
