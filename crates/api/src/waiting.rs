//! Requests that wait for something to happen: streams, and reads that block until something has changed.
//!
//! They hold no turn, because they may wait for minutes. Instead each of them counts as a stream.

use std::time::Duration;

use axum::extract::{Query, Request};
use axum::http::Method;
use orchestrator_model::parse_lifespan;

use super::problem::Fault;

/// How long a read blocks if nothing else is asked for.
const USUAL: Duration = Duration::from_secs(30);
/// The longest that a read blocks.
const LONGEST: Duration = Duration::from_secs(600);

/// What may block, by its path, and the key of its query that asks for it. All below a path that ends in `/` may.
const BLOCKING: [(&str, &str); 4] = [
    ("/v1/kv/", "index"),
    ("/v1/services", "index"),
    ("/v1/endpoints", "index"),
    ("/v1/operations/", "wait"),
];

/// Whether a request may block: a GET of one of these paths whose query asks for it. Any other has a turn.
pub(super) fn may_block(request: &Request) -> bool {
    let path = request.uri().path();
    let asks = |key: &str| {
        let query = Query::<Vec<(String, String)>>::try_from_uri(request.uri());
        query.is_ok_and(|Query(pairs)| pairs.iter().any(|(name, _)| name == key))
    };
    let is_at = |of: &str| match of.ends_with('/') {
        true => path.starts_with(of),
        false => path == of,
    };
    let blocks = |(of, key): &(&str, &str)| is_at(of) && asks(key);
    *request.method() == Method::GET && BLOCKING.iter().any(blocks)
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
        assert!(may_block(&request("GET", "/v1/kv/web?%69ndex=7")));
        assert!(may_block(&request("GET", "/v1/operations/3f9a2c01d2e4?wait=30s")));
        for (method, target) in [
            ("GET", "/v1/kv/web?indexes=7"),
            ("GET", "/v1/kv/index=7"),
            ("PUT", "/v1/kv/web?index=7"),
            ("GET", "/v1/instances/3f9a2c01d2e4/stats?index=7"),
            ("GET", "/v1/operations?wait=30s"),
            ("GET", "/v1/services/web?index=7"),
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
