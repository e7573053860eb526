//! Asks a container what it was made for.

use std::collections::BTreeMap;

use orchestrator_plugin::Capability;

use super::LocalHost;
use crate::{Cause, ContainerRef};

impl LocalHost {
    pub(super) async fn describe_container(
        &self,
        container: &ContainerRef,
        prefix: &str,
    ) -> Result<Option<BTreeMap<String, String>>, Cause> {
        let engine = self.engine(&container.engine)?;
        match engine.capabilities().has(Capability::Environment) {
            true => Ok(engine.environment(&container.container(), prefix).await?),
            false => Ok(None),
        }
    }
}
