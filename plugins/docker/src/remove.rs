//! Makes sure that an instance's container is gone.

use std::time::Duration;

use bollard::query_parameters::RemoveContainerOptionsBuilder;
use orchestrator_plugin::{InstanceId, PluginError};
use tokio::time::{Instant, sleep};

use crate::DockerPlugin;
use crate::errors::{CONFLICT, EngineError, NOT_FOUND};
use crate::mark::container_name;

/// Between two looks at a removal that somebody else has begun.
const PAUSE: Duration = Duration::from_millis(50);

impl DockerPlugin {
    /// Removes whatever was made for this instance, under whatever name it goes by now.
    ///
    /// A creation that is under way is waited for: what it makes is removed too. Each container is tried, also when
    /// another one fails; the first failure is returned.
    pub(crate) async fn remove_containers(&self, id: &InstanceId) -> Result<(), PluginError> {
        let name = container_name(id);
        let turn = tokio::time::timeout(self.engine.timeout(), self.creations.turn(id)).await;
        let late = |_| {
            self.engine
                .explain("finish creating", &name, EngineError::RequestTimeoutError)
        };
        // Until it is given back, nobody creates another.
        let _turn = turn.map_err(late)?;
        let mut outcome = Ok(());
        for found in self.find_marked(id).await? {
            let removed = self.remove_container(&name, &found.reference).await;
            outcome = outcome.and(removed);
        }
        outcome
    }

    /// Removes one container with its processes and volumes, and waits until it is gone. People know it by `name`.
    pub(crate) async fn remove_container(&self, name: &str, reference: &str) -> Result<(), PluginError> {
        let deadline = Instant::now() + self.engine.timeout();
        loop {
            let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
            let answer = self
                .engine
                .ask(|docker| async move { docker.remove_container(reference, Some(options)).await });
            match answer.await {
                Ok(()) => return Ok(()),
                Err(EngineError::DockerResponseServerError {
                    status_code: NOT_FOUND, ..
                }) => return Ok(()),
                Err(error) if is_under_way(&error) && Instant::now() < deadline => sleep(PAUSE).await,
                Err(error) if is_under_way(&error) => {
                    return Err(self.engine.explain("remove", name, EngineError::RequestTimeoutError));
                }
                Err(error) => return Err(self.engine.explain("remove", name, error)),
            }
        }
    }
}

/// Whether somebody else has begun the removal. The engine has a status for this, but shares it with other conflicts.
fn is_under_way(error: &EngineError) -> bool {
    matches!(error, EngineError::DockerResponseServerError { status_code: CONFLICT, message } if message.contains("already in progress"))
}
