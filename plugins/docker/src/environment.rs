//! What a container was told when it was made.

use std::collections::BTreeMap;

use orchestrator_plugin::{InstanceId, PluginError};

use crate::DockerPlugin;

impl DockerPlugin {
    /// The variables that the container of this instance was created with and whose names begin with `prefix`. What a
    /// process inside has set since is not among them.
    pub(crate) async fn environment_of(
        &self,
        id: &InstanceId,
        prefix: &str,
    ) -> Result<Option<BTreeMap<String, String>>, PluginError> {
        let Some(found) = self.find_container(id).await? else {
            return Ok(None);
        };
        let container = self.inspect(&found.reference).await?;
        let lines = container
            .and_then(|container| container.config?.env)
            .unwrap_or_default();
        let pairs = lines.iter().filter_map(|line| line.split_once('='));
        let wanted = pairs.filter(|(name, _)| name.starts_with(prefix));
        Ok(Some(
            wanted
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        ))
    }
}
