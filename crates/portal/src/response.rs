//! Answers.

use hyper::StatusCode;

/// An answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Its status.
    pub status: StatusCode,
    /// The type of its body.
    pub content_type: &'static str,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: String,
}

/// Plain text for people and shells.
const TEXT: &str = "text/plain; charset=utf-8";

impl Response {
    /// Plain text.
    pub fn text(status: StatusCode, body: impl Into<String>) -> Self {
        Self::new(status, TEXT, body)
    }

    /// JSON.
    pub fn json(value: &serde_json::Value) -> Self {
        Self::new(StatusCode::OK, "application/json", format!("{value}\n"))
    }

    /// An answer with a body of this type.
    pub fn new(status: StatusCode, content_type: &'static str, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// The same with a further header.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
