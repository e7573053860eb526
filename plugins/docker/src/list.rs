//! Everything on the engine that carries our mark.

use std::collections::HashMap;

use bollard::query_parameters::ListContainersOptionsBuilder;
use futures_util::{StreamExt, TryStreamExt, stream};
use orchestrator_plugin::{Found, PluginError};
use tracing::warn;

use crate::DockerPlugin;
use crate::find::found;
use crate::mark::site_filter;

/// Containers inspected at the same time.
const LOOKS: usize = 8;

impl DockerPlugin {
    /// All our containers, in any state.
    ///
    /// The engine's list tells neither process nor exit code, so that each one is inspected.
    /// What is removed while we look is left out.
    pub(crate) async fn list_containers(&self) -> Result<Vec<Found>, PluginError> {
        let references = self.references(site_filter(&self.mark)).await?;
        stream::iter(references)
            .map(|reference| async move { self.look_at(&reference).await })
            .buffer_unordered(LOOKS)
            .try_filter_map(|found| async { Ok(found) })
            .try_collect()
            .await
    }

    async fn look_at(&self, reference: &str) -> Result<Option<Found>, PluginError> {
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
        Ok(found)
    }

    /// The references of all containers that pass `filters`, in any state.
    pub(crate) async fn references(&self, filters: HashMap<String, Vec<String>>) -> Result<Vec<String>, PluginError> {
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let answer = self
            .engine
            .ask(|docker| async move { docker.list_containers(Some(options)).await })
            .await;
        let containers = answer.map_err(|error| self.engine.explain("list", "containers", error))?;
        Ok(containers.into_iter().filter_map(|container| container.id).collect())
    }
}
