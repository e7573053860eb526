//! The host that a request names (RFC 9112, section 3.2).

use std::str::FromStr;

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{Method, StatusCode, Version, header};

use super::problem::Fault;

/// Checks that a request names its host exactly once, and that a host in its target is the same.
///
/// RFC 9112, section 3.2.2 prefers the target's host if they differ. The daemon refuses such a request: no client sends
/// it, a proxy that reads only one of the hosts might be deceived by it, and the guard of TCP decides by the host.
pub(super) fn check(request: &Request) -> Result<(), Fault> {
    let hosts = request.headers().get_all(header::HOST);
    let mut hosts = hosts.iter();
    let host = match (hosts.next(), hosts.next()) {
        (None, _) if request.version() == Version::HTTP_10 => return Ok(()),
        (None, _) => return Err(bad_host("has no Host header")),
        (Some(_), Some(_)) => return Err(bad_host("has more than one Host header")),
        (Some(host), None) => host.to_str().unwrap_or("\u{fffd}"),
    };
    if !is_host(host) {
        return Err(bad_host("has a Host header that is no name or address of a host"));
    }
    match request
        .uri()
        .authority()
        .filter(|_| request.method() != Method::CONNECT)
    {
        Some(target) if !is_same(target.as_str(), host) => Err(bad_host("names another host in its target")),
        _ => Ok(()),
    }
}

/// Whether the text is a name or an address, perhaps with a port, or is empty because the server has no name.
fn is_host(text: &str) -> bool {
    let Ok(authority) = Authority::from_str(text) else {
        return text.is_empty();
    };
    let port = text.strip_prefix(authority.host()).unwrap_or("@");
    let is_port = |port: &str| port.is_empty() || port.parse::<u16>().is_ok();
    port.is_empty() || port.strip_prefix(':').is_some_and(is_port)
}

fn is_same(one: &str, other: &str) -> bool {
    let bare = |text: &str| {
        let text = text.strip_suffix(":80").or(text.strip_suffix(':')).unwrap_or(text);
        text.to_ascii_lowercase()
    };
    bare(one) == bare(other)
}

fn bad_host(what: &str) -> Fault {
    let detail = format!("the request {what} (RFC 9112, section 3.2); send one, like \"Host: localhost\"");
    Fault::new(StatusCode::BAD_REQUEST, "bad-host", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_from_what_is_none() {
        for host in [
            "",
            "localhost",
            "localhost:8998",
            "127.0.0.1",
            "[::1]",
            "[::1]:8998",
            "a:",
        ] {
            assert!(is_host(host), "{host:?}");
        }
        for host in [
            "a b", "user@a", "a:b", "a:1:2", "a:65536", "http://a", "a/b", "\u{e9}", "a,b c",
        ] {
            assert!(!is_host(host), "{host:?}");
        }
    }
}
