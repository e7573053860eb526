//! Keeps web pages away from the API on loopback.
//!
//! A page that somebody opens in a browser on this host can send requests here. But it cannot set the `Host` of a
//! request to a name that it does not control, nor leave out `Origin` and `Sec-Fetch-Site`. So the daemon refuses names
//! that were made to point here (DNS rebinding), and all changes that come from another site.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, header};

use super::problem::Fault;

/// Refuses a request that a foreign page may have sent.
pub(super) fn check(request: &Request) -> Result<(), Fault> {
    let headers = request.headers();
    let host = text(headers, header::HOST.as_str()).unwrap_or_default();
    let target = request.uri().authority().map(|authority| authority.as_str());
    if headers.get_all(header::HOST).iter().count() != 1 || !is_loopback(host) || !target.is_none_or(is_loopback) {
        let detail =
            "the API answers requests to localhost, 127.0.0.1 or [::1] only, by the Host header; use one of them";
        return Err(Fault::new(StatusCode::MISDIRECTED_REQUEST, "foreign-host", detail));
    }
    if is_read(request.method()) || is_own(headers, host) {
        return Ok(());
    }
    let detail = "a page of another site asks for a change, which is refused; use the command line or the unix socket";
    Err(Fault::new(StatusCode::FORBIDDEN, "foreign-origin", detail))
}

/// Whether no page sent the request, or only a page of this server.
fn is_own(headers: &HeaderMap, host: &str) -> bool {
    let own_origin = match text(headers, header::ORIGIN.as_str()) {
        Some(origin) => origin.strip_prefix("http://") == Some(host),
        None => !headers.contains_key(header::ORIGIN),
    };
    let own_site = match text(headers, "sec-fetch-site") {
        Some(site) => matches!(site, "same-origin" | "none"),
        None => !headers.contains_key("sec-fetch-site"),
    };
    own_origin && own_site
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Whether an authority (host and perhaps port) names this host.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() && !port.starts_with('+') => host,
        _ => authority,
    };
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bare {
        Some(host) => host
            .parse::<std::net::Ipv6Addr>()
            .is_ok_and(|address| address.is_loopback()),
        None => host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_ipv4() && address.is_loopback()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::response::IntoResponse;

    fn code(method: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method(method).uri("/v1/instances/3f9a2c01d2e4");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        check(&request).map_or_else(|fault| fault.into_response().status().as_u16(), |()| 200)
    }

    #[test]
    fn names_of_this_host_are_known() {
        for host in [
            "localhost",
            "LocalHost:8998",
            "127.0.0.1",
            "127.1.2.3:80",
            "[::1]",
            "[::1]:8998",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        let foreign = [
            "",
            "example.org",
            "localhost.example.org",
            "127.0.0.1.nip.io",
            "[::]:80",
            "::1",
            "10.0.0.1:80",
            "[::1",
            "localhost:x",
        ];
        for host in foreign {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_rebound_name_is_refused_for_reads_too() {
        assert_eq!(code("GET", &[("host", "rebound.example.org:8998")]), 421);
        assert_eq!(code("GET", &[]), 421);
        assert_eq!(code("GET", &[("host", "localhost"), ("host", "example.org")]), 421);
        assert_eq!(code("GET", &[("host", "localhost:8998")]), 200);
    }

    #[test]
    fn an_absolute_target_counts_as_well() {
        let request = Request::builder()
            .uri("http://example.org/v1/health")
            .header("host", "localhost");
        assert!(check(&request.body(Body::empty()).unwrap()).is_err());
    }

    #[test]
    fn a_change_from_another_site_is_refused() {
        let host = ("host", "[::1]:8998");
        assert_eq!(code("DELETE", &[host]), 200);
        assert_eq!(
            code(
                "DELETE",
                &[host, ("origin", "http://[::1]:8998"), ("sec-fetch-site", "same-origin")]
            ),
            200
        );
        assert_eq!(code("DELETE", &[host, ("origin", "https://example.org")]), 403);
        assert_eq!(code("DELETE", &[host, ("origin", "null")]), 403);
        assert_eq!(code("POST", &[host, ("sec-fetch-site", "cross-site")]), 403);
        assert_eq!(code("DELETE", &[host, ("sec-fetch-site", "same-site")]), 403);
        assert_eq!(code("DELETE", &[host, ("origin", "http://localhost:1")]), 403);
        assert_eq!(code("GET", &[host, ("sec-fetch-site", "cross-site")]), 200);
    }
}
