//! Lists of the API, which come a portion at a time.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::failure::Failure;
use super::http::Client;
use orchestrator_model::Page;

/// Query parameters.
pub(super) type Query<'a> = [(&'a str, &'a str)];

/// Every item of a list, portion after portion.
pub(super) async fn all(client: &Client, path: &str, query: &Query<'_>) -> Result<Vec<Value>, Failure> {
    let mut items = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut parameters = query.to_vec();
        parameters.extend(after.as_deref().map(|after| ("after", after)));
        let page: Page<Value> = parse(&client.get(&with_query(path, &parameters)).await?, "a list")?;
        // A portion without items that promises more would never end.
        let next = page.next.filter(|_| !page.items.is_empty());
        items.extend(page.items);
        // Nor would one that promises to go on where it began.
        if next.is_some() && next == after {
            return Err(Failure::Endless);
        }
        if next.is_none() {
            return Ok(items);
        }
        after = next;
    }
}

/// One portion of a list.
pub(super) async fn one(client: &Client, path: &str, query: &Query<'_>) -> Result<Vec<Value>, Failure> {
    let page: Page<Value> = parse(&client.get(&with_query(path, query)).await?, "a list")?;
    Ok(page.items)
}

/// Reads an answer.
pub(super) fn parse<T: DeserializeOwned>(body: &Bytes, what: &'static str) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|source| Failure::Answer { what, source })
}

/// Reads an item.
pub(super) fn read<T: DeserializeOwned>(item: &Value, what: &'static str) -> Result<T, Failure> {
    T::deserialize(item).map_err(|source| Failure::Answer { what, source })
}

/// Adds parameters to a path.
pub(super) fn with_query(path: &str, query: &Query<'_>) -> String {
    let pairs: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    if pairs.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", pairs.join("&"))
    }
}

/// Encodes text for a path or a query (RFC 3986, section 2.1).
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_encoded() {
        assert_eq!(with_query("/v1/x", &[]), "/v1/x");
        assert_eq!(
            with_query("/v1/x", &[("link", "br 0&"), ("all", "true")]),
            "/v1/x?link=br%200%26&all=true"
        );
        assert_eq!(encode("../ü"), "..%2F%C3%BC");
    }
}
