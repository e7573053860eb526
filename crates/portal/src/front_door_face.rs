//! The front door of a link, while no instance is behind it.

use std::net::Ipv6Addr;
use std::sync::Arc;

use async_trait::async_trait;
use orchestrator_runtime::metrics::Metrics;

use crate::facts::Facts;
use crate::page::front_door;
use crate::portal_face::client_of;
use crate::{Face, Request, Response, Source};

/// The word for metrics.
const FACE: &str = "front-door";

/// What clients see at the front door of a link.
pub struct FrontDoor {
    facts: Arc<dyn Facts>,
    metrics: Metrics,
    portal: Option<Ipv6Addr>,
}

impl FrontDoor {
    /// A front door that answers from these facts. `portal` is where the link's clients have their own page.
    pub fn new(facts: Arc<dyn Facts>, metrics: Metrics, portal: Option<Ipv6Addr>) -> Self {
        Self { facts, metrics, portal }
    }
}

#[async_trait]
impl Face for FrontDoor {
    fn word(&self) -> &'static str {
        FACE
    }

    async fn answer(&self, source: &Source, request: &Request) -> Response {
        match client_of(self.facts.as_ref(), source, FACE, &self.metrics).await {
            Ok(page) => {
                self.metrics.portal_answered(FACE);
                front_door(request, &page, self.portal)
            }
            Err(refused) => refused,
        }
    }
}
