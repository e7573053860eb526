//! The frame of a page.

use std::time::Duration;

use hyper::StatusCode;

use crate::Response;

const HTML: &str = "text/html; charset=utf-8";

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--paper:#f6f7f9;--card:#fff;--line:#d8dee4;--accent:#0b57d0;\
--on:#fff;--good:#116329;--warn:#8a4600}\
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a5adb8;--paper:#14171b;--card:#1e2329;--line:#39414b;\
--accent:#8ab4f8;--on:#10141a;--good:#7ee2a0;--warn:#ffb870}}\
*{box-sizing:border-box}\
body{margin:0;background:var(--paper);color:var(--ink);font:1.0625rem/1.5 system-ui,sans-serif;padding:1.5rem 1rem 3rem}\
main{max-width:36rem;margin:0 auto}\
h1{font-size:1.5rem;line-height:1.25;margin:.5rem 0 1rem}\
h2{font-size:1.125rem;margin:0 0 .25rem}\
.card{background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1.125rem 1.25rem;margin:0 0 1rem}\
.state{font-weight:600;margin:0}.good{color:var(--good)}.warn{color:var(--warn)}\
dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem;margin:.75rem 0 0}\
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\
p{margin:.5rem 0}.soft{color:var(--soft);font-size:.9375rem}\
code,textarea{font:0.9375rem/1.45 ui-monospace,monospace;overflow-wrap:anywhere}\
textarea{width:100%;min-height:7rem;padding:.625rem;border:1px solid var(--soft);border-radius:.5rem;background:var(--paper);\
color:inherit}\
button,.button{display:inline-block;font:inherit;font-weight:600;min-height:2.75rem;padding:.5rem 1.125rem;border:0;\
border-radius:.5rem;background:var(--accent);color:var(--on);text-decoration:none;cursor:pointer;margin:.5rem .5rem 0 0}\
button:focus-visible,a:focus-visible,summary:focus-visible,textarea:focus-visible{outline:3px solid var(--accent);\
outline-offset:2px}\
details{margin-top:.75rem}summary{cursor:pointer;padding:.5rem 0;color:var(--accent);font-weight:600}\
a{color:var(--accent)}a.button{color:var(--on)}";

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
