//! Checks answers of an authority before the library reads them. The library panics at some, and hides the reason of others.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{DATE, RETRY_AFTER};
use hyper::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::place::Place;

/// The header with a nonce (RFC 8555, section 6.5.1).
const NONCE: &str = "replay-nonce";

/// The URLs of a directory that are asked (RFC 8555, section 7.1.1).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Directory {
    new_nonce: String,
    new_account: String,
    new_order: String,
}

/// Checks the answer with the directory. The library expects that its URLs are URLs.
pub(super) fn check_directory(status: StatusCode, body: &[u8]) -> io::Result<()> {
    if !status.is_success() {
        return Err(io::Error::other(format!("it answers {status}")));
    }
    let read: Result<Directory, _> = serde_json::from_slice(body);
    let directory = read.map_err(|fault| io::Error::other(format!("it is no directory of an authority: {fault}")))?;
    let urls = [
        ("newNonce", directory.new_nonce),
        ("newAccount", directory.new_account),
        ("newOrder", directory.new_order),
    ];
    for (name, url) in urls {
        Place::read(&url).map_err(|fault| io::Error::other(format!("{name} of the directory: {fault}")))?;
    }
    Ok(())
}

/// Checks the answer with a nonce.
pub(super) fn check_nonce(status: StatusCode, headers: &HeaderMap) -> io::Result<()> {
    match status == StatusCode::OK && headers.contains_key(NONCE) {
        true => Ok(()),
        false => Err(io::Error::other(format!("it answers {status}, without a nonce"))),
    }
}

/// The body of an answer. An error becomes a problem document (RFC 9457) with the status of the answer, whatever the
/// authority, or a proxy before it, sent.
pub(super) fn body(status: StatusCode, body: Bytes) -> io::Result<Bytes> {
    if !status.is_client_error() && !status.is_server_error() {
        return Ok(body);
    }
    let problem: Option<Map<String, Value>> = serde_json::from_slice(&body).ok();
    let mut problem = problem.unwrap_or_else(|| {
        let detail = format!("{status}, without the reason");
        Map::from_iter([("detail".to_owned(), json!(detail))])
    });
    problem.insert("status".to_owned(), json!(status.as_u16()));
    Ok(serde_json::to_vec(&problem)?.into())
}

/// The value of `Retry-After`: seconds, or a moment (RFC 9110, section 10.2.3). A moment is compared with the time at which
/// the authority answered, by its own clock.
pub(super) fn read_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let answered = moment(headers.get(DATE)?.to_str().ok()?)?;
    Some(Duration::try_from(moment(text)? - answered).unwrap_or_default())
}

fn moment(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text.trim(), &Rfc2822).ok()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    #[test]
    fn a_directory_has_urls() {
        let check = |nonce: &str| {
            let directory = json!({"newNonce": nonce, "newAccount": "https://a/b", "newOrder": "https://a/c"});
            check_directory(StatusCode::OK, directory.to_string().as_bytes())
        };
        check("https://a/nonce").unwrap();
        for bad in ["", "/nonce", "http://a/nonce", "https://a b/"] {
            let fault = check(bad).unwrap_err().to_string();
            assert!(fault.starts_with("newNonce of the directory: "), "{fault}");
        }
        let fault = check_directory(StatusCode::OK, b"<html>").unwrap_err().to_string();
        assert!(fault.starts_with("it is no directory"), "{fault}");
        let fault = check_directory(StatusCode::BAD_GATEWAY, b"").unwrap_err().to_string();
        assert_eq!(fault, "it answers 502 Bad Gateway");
    }

    #[test]
    fn an_error_in_other_words_is_a_problem_with_its_status() {
        let read = |status, sent: &'static str| body(status, Bytes::from_static(sent.as_bytes())).unwrap();
        assert_eq!(read(StatusCode::OK, "<html>"), "<html>");
        assert_eq!(
            read(StatusCode::BAD_GATEWAY, "<html>"),
            r#"{"detail":"502 Bad Gateway, without the reason","status":502}"#
        );
        assert_eq!(
            read(StatusCode::NOT_FOUND, r#"{"detail":"no","status":200}"#),
            r#"{"detail":"no","status":404}"#
        );
    }

    #[test]
    fn retry_after_is_seconds_or_a_moment() {
        let read = |text: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            if let Some(date) = date {
                headers.insert(DATE, HeaderValue::from_str(date).unwrap());
            }
            read_after(&headers)
        };
        let date = Some("Fri, 31 Dec 1999 23:58:59 GMT");
        assert_eq!(read("120", None), Some(Duration::from_secs(120)));
        assert_eq!(
            read("Fri, 31 Dec 1999 23:59:59 GMT", date),
            Some(Duration::from_secs(60))
        );
        assert_eq!(read("Fri, 31 Dec 1999 23:57:59 GMT", date), Some(Duration::ZERO));
        assert_eq!(read("Fri, 31 Dec 1999 23:59:59 GMT", None), None, "by whose clock?");
        assert_eq!((read("soon", date), read("-1", date)), (None, None));
        assert_eq!(read_after(&HeaderMap::new()), None);
    }
}
