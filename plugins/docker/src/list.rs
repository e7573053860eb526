//! Everything on the engine that bears our mark.

use std::collections::HashMap;

use bollard::models::{BollardDate, ContainerSummary};
use bollard::query_parameters::ListContainersOptionsBuilder;
use futures_util::{StreamExt, TryStreamExt, stream};
use orchestrator_plugin::{EngineError, Found};
use tracing::warn;

use crate::DockerEngine;
use crate::find::found;
use crate::mark::site_filter;

/// Containers inspected at the same time.
const LOOKS: usize = 8;

impl DockerEngine {
    /// All our containers, in any state, the oldest first.
    ///
    /// The engine's list has neither process nor exit code, so each container is inspected. Containers that are removed
    /// meanwhile are left out.
    pub(crate) async fn list_containers(&self) -> Result<Vec<Found>, EngineError> {
        let listed = self.listed(site_filter(&self.mark)).await?;
        let references = listed.into_iter().filter_map(|container| container.id);
        let mut inspected: Vec<(Option<BollardDate>, Found)> = stream::iter(references)
            .map(|reference| async move { self.look_at(&reference).await })
            .buffer_unordered(LOOKS)
            .try_filter_map(|found| async { Ok(found) })
            .try_collect()
            .await?;
        inspected.sort_by_key(|(created, _)| *created);
        Ok(inspected.into_iter().map(|(_, found)| found).collect())
    }

    async fn look_at(&self, reference: &str) -> Result<Option<(Option<BollardDate>, Found)>, EngineError> {
        let Some(container) = self.inspect(reference).await? else {
            return Ok(None);
        };
        let found = found(&self.mark, &container);
        if found.is_none() {
            warn!(
                container = reference,
                "a container carries our labels and was not made by us: its image was committed from one of ours, or its labels were written by hand; it is left alone"
            );
        }
        Ok(found.map(|found| (container.created, found)))
    }

    /// The engine's list of all containers that pass `filters`, in any state.
    pub(crate) async fn listed(
        &self,
        filters: HashMap<String, Vec<String>>,
    ) -> Result<Vec<ContainerSummary>, EngineError> {
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let listing = || {
            let options = options.clone();
            self.connection
                .ask(|docker| async move { docker.list_containers(Some(options)).await })
        };
        self.settled(listing)
            .await
            .map_err(|error| self.connection.explain("list", "containers", error))
    }
}
