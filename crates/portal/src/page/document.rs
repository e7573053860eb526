//! The frame of a page.

use std::time::Duration;

use hyper::StatusCode;

use super::style::STYLE;
use crate::Response;

const HTML: &str = "text/html; charset=utf-8";

/// A whole page. With `again`, browsers ask for it again after this time.
pub(crate) fn document(title: &str, again: Option<Duration>, body: &str) -> String {
    let again = again.map_or(String::new(), |again| {
        format!("<meta http-equiv=\"refresh\" content=\"{}\">\n", again.as_secs())
    });
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n{again}<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n"
    )
}

/// A page that says one thing.
pub(crate) fn notice(status: StatusCode, title: &str, text: &str) -> Response {
    let body = format!("<div class=\"card\"><p>{}</p></div>\n", escape(text));
    html(status, document(title, None, &body))
}

/// An answer that is a page.
pub(crate) fn html(status: StatusCode, page: String) -> Response {
    Response::new(status, HTML, page)
}

/// Text as HTML shows it, also within an attribute in double quotes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
