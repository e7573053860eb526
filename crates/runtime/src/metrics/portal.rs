//! Metrics of what clients and instances are shown over HTTP.

use prometheus_client::registry::Registry;

use super::{Labelled, Metrics, count, labelled};

#[derive(Clone)]
pub(super) struct Portal {
    requests: Labelled,
    metadata_refusals: Labelled,
    page_refusals: Labelled,
    connections_refused: Labelled,
}

impl Portal {
    pub(super) fn register(registry: &mut Registry) -> Self {
        Self {
            requests: labelled(
                registry,
                "portal_requests",
                "Requests of clients and instances that were answered, by what they were shown",
            ),
            metadata_refusals: labelled(
                registry,
                "metadata_refusals",
                "Requests for metadata that were refused, by reason",
            ),
            page_refusals: labelled(
                registry,
                "portal_refusals",
                "Requests for a client's page that were refused, by reason",
            ),
            connections_refused: labelled(
                registry,
                "portal_connections_refused",
                "Connections of clients and instances that were closed unanswered, by reason",
            ),
        }
    }
}

impl Metrics {
    /// Counts a request that was answered: `metadata`, `portal` or `front-door`.
    pub fn portal_answered(&self, face: &'static str) {
        count(&self.portal.requests, "face", face);
    }

    /// Counts a request that was refused.
    pub fn portal_refused(&self, face: &'static str, reason: &'static str) {
        let family = match face {
            "metadata" => &self.portal.metadata_refusals,
            _ => &self.portal.page_refusals,
        };
        count(family, "reason", reason);
    }

    /// Counts a connection that was closed unanswered.
    pub fn portal_connection_refused(&self, reason: &'static str) {
        count(&self.portal.connections_refused, "reason", reason);
    }
}
