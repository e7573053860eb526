//! The environment variables of a container.

use std::collections::BTreeMap;

use orchestrator_plugin::{Container, EngineError};

use crate::DockerEngine;

impl DockerEngine {
    /// The variables that the container was created with and whose names begin with `prefix`. What a process inside has
    /// set since is not among them.
    pub(crate) async fn environment_of(
        &self,
        container: &Container,
        prefix: &str,
    ) -> Result<Option<BTreeMap<String, String>>, EngineError> {
        let Some(ours) = self.find_ours(container).await? else {
            return Ok(None);
        };
        let lines = ours.account.config.and_then(|config| config.env).unwrap_or_default();
        let pairs = lines.iter().filter_map(|line| line.split_once('='));
        let wanted = pairs.filter(|(name, _)| name.starts_with(prefix));
        Ok(Some(
            wanted
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        ))
    }
}
