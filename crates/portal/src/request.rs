//! Requests, as far as faces look at them.

use std::net::Ipv6Addr;

use bytes::Bytes;
use hyper::Method;

/// Where a request came from: all that says who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The link whose bridge the connection came in by.
    pub link: String,
    /// The address that it came from.
    pub address: Ipv6Addr,
}

/// A request, already bounded in size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Its path, as it was sent, without the query.
    pub path: String,
    /// Its query, as it was sent; empty if there is none.
    pub query: String,
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// The header `Host`.
    pub host: Option<String>,
    /// The header `Accept`; empty if there is none.
    pub accept: String,
    /// The header `Origin`, which browsers send with forms.
    pub origin: Option<String>,
    /// The header `Content-Type`.
    pub content_type: Option<String>,
    /// The body.
    pub body: Bytes,
}

impl Request {
    /// A GET of this path, without headers.
    pub fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.to_owned(),
            query: String::new(),
            authorization: None,
            host: None,
            accept: String::new(),
            origin: None,
            content_type: None,
            body: Bytes::new(),
        }
    }

    /// Whether the asker is a browser.
    pub fn wants_html(&self) -> bool {
        self.accept.contains("text/html")
    }

    /// Whether the asker wants JSON rather than text.
    pub fn wants_json(&self) -> bool {
        let mut types = self
            .accept
            .split(',')
            .map(|part| part.split(';').next().unwrap_or_default().trim());
        types.any(|one| one.eq_ignore_ascii_case("application/json"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_wanted_only_by_its_name() {
        let of = |accept: &str| Request {
            accept: accept.to_owned(),
            ..Request::get("/")
        };
        for accept in ["application/json", "text/html, application/JSON;q=0.9"] {
            assert!(of(accept).wants_json(), "{accept}");
        }
        for accept in ["", "*/*", "text/html", "application/jsonx"] {
            assert!(!of(accept).wants_json(), "{accept}");
        }
    }
}
