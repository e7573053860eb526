//! What a container wrote.

use bollard::query_parameters::InspectContainerOptionsBuilder;
use orchestrator_plugin::{Container, DiskUse, EngineError};

use crate::DockerEngine;

impl DockerEngine {
    /// Has the engine measure the writable layer of a container. It reads all of it.
    pub(crate) async fn measure_disk(&self, container: &Container) -> Result<DiskUse, EngineError> {
        let name = container.key.engine_name();
        let Some(ours) = self.find_ours(container).await? else {
            return Err(EngineError::NotRunning {
                verb: "measure",
                subject: name,
            });
        };
        let reference = ours.found.reference;
        let options = InspectContainerOptionsBuilder::new().size(true).build();
        let inspected = self
            .connection
            .ask(|docker| async move { docker.inspect_container(&reference, Some(options)).await })
            .await;
        let inspected = inspected.map_err(|error| self.connection.explain("measure", &name, error))?;
        Ok(DiskUse {
            // What was never written to has no size at some engines.
            bytes: inspected
                .size_rw
                .and_then(|bytes| u64::try_from(bytes).ok())
                .unwrap_or(0),
            limit: None,
        })
    }
}
