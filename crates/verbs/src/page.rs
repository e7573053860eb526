//! Reads lists of the API page by page.

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::api::Api;
use super::failure::Failure;
use orchestrator_api_types::Page;

/// Query parameters.
pub type Query<'a> = [(&'a str, &'a str)];

/// Every item of a list, page after page.
///
/// # Errors
///
/// When the API refuses or does not answer, or the list has no end.
pub async fn all(api: &dyn Api, path: &str, query: &Query<'_>) -> Result<Vec<Value>, Failure> {
    let mut items = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let mut parameters = query.to_vec();
        parameters.extend(after.as_deref().map(|after| ("after", after)));
        let page: Page<Value> = parse(&api.get(&with_query(path, &parameters)).await?, "a list")?;
        // A page without items that promises more would never end.
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

/// One page of a list.
///
/// # Errors
///
/// When the API refuses or does not answer.
pub async fn one(api: &dyn Api, path: &str, query: &Query<'_>) -> Result<Vec<Value>, Failure> {
    let page: Page<Value> = parse(&api.get(&with_query(path, query)).await?, "a list")?;
    Ok(page.items)
}

/// Parses an answer.
///
/// # Errors
///
/// When the answer does not have the expected form.
pub fn parse<T: DeserializeOwned>(body: &Bytes, what: &'static str) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|source| Failure::Answer { what, source })
}

/// Parses an item.
///
/// # Errors
///
/// When the item does not have the expected form.
pub fn read<T: DeserializeOwned>(item: &Value, what: &'static str) -> Result<T, Failure> {
    T::deserialize(item).map_err(|source| Failure::Answer { what, source })
}

/// Adds parameters to a path.
pub fn with_query(path: &str, query: &Query<'_>) -> String {
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
pub fn encode(text: &str) -> String {
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
