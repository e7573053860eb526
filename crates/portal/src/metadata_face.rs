//! The metadata service: finds who asks by its source, and answers about it.

use std::sync::Arc;

use async_trait::async_trait;
use hyper::StatusCode;
use orchestrator_model::Clock;
use orchestrator_runtime::metrics::Metrics;

use crate::facts::{Facts, Unavailable};
use crate::metadata::answer;
use crate::reach::is_beyond;
use crate::{Face, Reach, Request, Response, Source};

/// The word for metrics.
const FACE: &str = "metadata";

/// The metadata service of all links.
pub struct Metadata {
    facts: Arc<dyn Facts>,
    clock: Clock,
    metrics: Metrics,
    reach: Option<Arc<dyn Reach>>,
}

impl Metadata {
    /// A service that answers from these facts.
    pub fn new(facts: Arc<dyn Facts>, clock: Clock, metrics: Metrics) -> Self {
        Self {
            facts,
            clock,
            metrics,
            reach: None,
        }
    }

    /// Answers also what is no metadata.
    #[must_use]
    pub fn with_reach(self, reach: Arc<dyn Reach>) -> Self {
        let reach = Some(reach);
        Self { reach, ..self }
    }

    fn refuse(&self, reason: &'static str, source: &Source) {
        self.metrics.portal_refused(FACE, reason);
        if let Some(held_back) = self.metrics.log_limit().admit(reason) {
            let (link, address) = (&source.link, source.address);
            tracing::info!(link, %address, reason, held_back, "a request for metadata was refused");
        }
    }
}

#[async_trait]
impl Face for Metadata {
    fn word(&self) -> &'static str {
        FACE
    }

    async fn answer(&self, source: &Source, request: &Request) -> Response {
        match self.facts.instance(&source.link, source.address).await {
            Ok(Some(facts)) => {
                self.metrics.portal_answered(FACE);
                match &self.reach {
                    Some(reach) if is_beyond(&request.path) => reach.ask(source, &facts, request).await,
                    _ => answer(request, &facts, self.clock.now()),
                }
            }
            Ok(None) => {
                self.refuse("unknown-source", source);
                Response::text(
                    StatusCode::FORBIDDEN,
                    format!(
                        "{} is the address of no instance on link {}. Metadata is only for instances, from their own \
                         addresses.\n",
                        source.address, source.link
                    ),
                )
            }
            Err(Unavailable(reason)) => {
                tracing::debug!(reason, "metadata could not be read");
                self.metrics.portal_refused(FACE, "unavailable");
                Response::text(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "The metadata cannot be read at the moment. Try again in a few seconds.\n",
                )
                .with("Retry-After", "5")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;
    use crate::facts::InstanceFacts;

    /// One link with one instance; another link cannot be read.
    struct One;

    #[async_trait]
    impl Facts for One {
        async fn instance(&self, link: &str, address: Ipv6Addr) -> Result<Option<InstanceFacts>, Unavailable> {
            match link {
                "br0" => {
                    Ok((address == "fd39::2:1".parse::<Ipv6Addr>().unwrap()).then(crate::metadata::testing::facts))
                }
                _ => Err(Unavailable("the database is away: password=secret".to_owned())),
            }
        }

        async fn client(&self, _: &str, _: Ipv6Addr) -> Result<Option<crate::facts::ClientPage>, Unavailable> {
            Ok(None)
        }
    }

    async fn ask(link: &str, address: &str) -> (Response, String) {
        let metrics = Metrics::default();
        let face = Metadata::new(
            Arc::new(One),
            Clock::given(|| orchestrator_model::Timestamp(0)),
            metrics.clone(),
        );
        let source = Source {
            link: link.to_owned(),
            address: address.parse().unwrap(),
        };
        let answered = face.answer(&source, &Request::get("/v1/instance/id")).await;
        (answered, metrics.render().unwrap())
    }

    #[tokio::test]
    async fn who_asks_is_told_of_itself_alone() {
        let (response, metrics) = ask("br0", "fd39::2:1").await;
        assert_eq!(
            (response.status, response.body.as_str()),
            (StatusCode::OK, "3f9a2c01d2e4\n")
        );
        assert!(
            metrics.contains("orchestrator_portal_requests_total{face=\"metadata\"} 1"),
            "{metrics}"
        );
    }

    #[tokio::test]
    async fn an_unknown_source_is_refused_and_counted() {
        let (response, metrics) = ask("br0", "fd39::2:2").await;
        assert_eq!(response.status, StatusCode::FORBIDDEN);
        assert!(!response.body.contains("3f9a"), "{response:?}");
        let counted = "orchestrator_metadata_refusals_total{reason=\"unknown-source\"} 1";
        assert!(metrics.contains(counted), "{metrics}");
    }

    #[tokio::test]
    async fn a_store_that_is_away_is_said_without_its_reason() {
        let (response, metrics) = ask("br1", "fd39::2:1").await;
        assert_eq!(response.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(!response.body.contains("secret"), "{response:?}");
        let counted = "orchestrator_metadata_refusals_total{reason=\"unavailable\"} 1";
        assert!(metrics.contains(counted), "{metrics}");
    }
}
