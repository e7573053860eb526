//! Requests that wait for something to happen: streams, and reads that block until something has changed.
//!
//! They hold no turn, because they may wait for minutes. Instead each of them counts as a stream.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::{Method, StatusCode};
use orchestrator_model::parse_lifespan;
use tokio::sync::OwnedSemaphorePermit;

use super::connection::Connection;
use super::problem::Fault;
use super::routes::Shared;

/// How long a read blocks if nothing else is asked for.
const USUAL: Duration = Duration::from_secs(30);
/// The longest that a read blocks.
const LONGEST: Duration = Duration::from_secs(600);

/// Whether a request may block: a GET whose query has an `index` to wait after.
pub(super) fn may_block(request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    let has_index = query.split('&').any(|pair| pair.starts_with("index="));
    *request.method() == Method::GET && has_index
}

/// Takes a place among the streams of the peer and of the listener. It is free again when the permits are dropped.
pub(super) fn take_place(shared: &Shared, connection: &Connection) -> Result<[OwnedSemaphorePermit; 2], Fault> {
    let own = Arc::clone(&connection.share.streams).try_acquire_owned();
    let any = Arc::clone(&shared.streams).try_acquire_owned();
    match (own, any) {
        (Ok(own), Ok(any)) => Ok([own, any]),
        _ => {
            let detail = "too many streams of events or blocking reads are open; close one, or ask without waiting";
            Err(Fault::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-streams", detail))
        }
    }
}

/// How long to block, from the `wait` of a query.
pub(super) fn limit(wait: Option<&str>) -> Result<Duration, Fault> {
    let Some(text) = wait else { return Ok(USUAL) };
    let span = parse_lifespan(text).map_err(|fault| Fault::bad_parameter(fault.to_string()))?;
    match span <= LONGEST {
        true => Ok(span),
        false => Err(Fault::bad_parameter(format!("wait is {text}; the longest is \"10m\""))),
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn only_reads_with_an_index_may_block() {
        let request = |method: &str, target: &str| {
            Request::builder()
                .method(method)
                .uri(target)
                .body(Body::empty())
                .unwrap()
        };
        assert!(may_block(&request("GET", "/v1/kv/web?recurse&index=7")));
        for (method, target) in [
            ("GET", "/v1/kv/web?indexes=7"),
            ("GET", "/v1/kv/index=7"),
            ("PUT", "/v1/kv/web?index=7"),
        ] {
            assert!(!may_block(&request(method, target)), "{method} {target}");
        }
    }

    #[test]
    fn a_wait_is_bounded() {
        assert_eq!(limit(None).unwrap(), USUAL);
        assert_eq!(limit(Some("0s")).unwrap(), Duration::ZERO);
        assert_eq!(limit(Some("10m")).unwrap(), LONGEST);
        assert!(limit(Some("11m")).is_err() && limit(Some("soon")).is_err());
    }
}
