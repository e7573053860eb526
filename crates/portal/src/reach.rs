//! What instances reach beyond their metadata.

use async_trait::async_trait;

use crate::facts::InstanceFacts;
use crate::{Request, Response, Source};

/// The paths that are passed on, with all that is below them.
const PATHS: [&str; 3] = ["/v1/kv", "/v1/services", "/v1/endpoints"];

/// Answers what is no metadata: keys, and the registry of services.
#[async_trait]
pub trait Reach: Send + Sync {
    /// Answers a request of the instance with these facts, whose address it came from. Whether it has the token of the
    /// instance is still to be verified.
    async fn ask(&self, source: &Source, facts: &InstanceFacts, request: &Request) -> Response;
}

/// Whether a path is one that is passed on.
pub(crate) fn is_beyond(path: &str) -> bool {
    let is_below = |rest: &str| rest.is_empty() || rest.starts_with('/');
    PATHS
        .iter()
        .any(|beyond| path.strip_prefix(beyond).is_some_and(is_below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_and_the_registry_are_beyond() {
        for path in ["/v1/kv", "/v1/kv/web/a", "/v1/services/web", "/v1/endpoints"] {
            assert!(is_beyond(path), "{path}");
        }
        for path in ["/v1", "/v1/kvs", "/v1/keys", "/v1/instances", "/kv", "/v2/kv"] {
            assert!(!is_beyond(path), "{path}");
        }
    }
}
