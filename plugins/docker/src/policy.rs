//! Keeps the engine from restarting an instance's container by itself.
//!
//! We create containers without a restart policy. `docker update --restart always` gives them one: then the engine runs
//! again what was stopped because it must not run, and a process that fails is started again without the pause between
//! two tries.

use bollard::models::{ContainerInspectResponse, ContainerUpdateBody, RestartPolicy, RestartPolicyNameEnum};
use orchestrator_plugin::EngineError;
use tracing::warn;

use crate::DockerEngine;
use crate::errors::{NOT_FOUND, status};

impl DockerEngine {
    /// Takes a restart policy back that somebody gave to the container. Asks the engine only when there is one.
    ///
    /// # Errors
    ///
    /// When the engine does not change it.
    pub(crate) async fn take_policy_back(
        &self,
        name: &str,
        container: &ContainerInspectResponse,
    ) -> Result<(), EngineError> {
        let (Some(policy), Some(reference)) = (foreign_policy(container), container.id.as_deref()) else {
            return Ok(());
        };
        let body = ContainerUpdateBody {
            restart_policy: Some(RestartPolicy {
                name: Some(RestartPolicyNameEnum::NO),
                maximum_retry_count: None,
            }),
            ..ContainerUpdateBody::default()
        };
        let update = self
            .connection
            .ask(|docker| async move { docker.update_container(reference, body).await });
        match update.await {
            Ok(_) => {}
            // It was removed in between.
            Err(error) if status(&error) == Some(NOT_FOUND) => return Ok(()),
            Err(error) => return Err(self.connection.explain("update", name, error)),
        }
        warn!(
            container = name,
            %policy,
            "somebody gave the container a restart policy; it is taken back, since the daemon restarts instances itself"
        );
        Ok(())
    }
}

/// The restart policy of a container, when it has one that makes the engine start it.
fn foreign_policy(container: &ContainerInspectResponse) -> Option<RestartPolicyNameEnum> {
    let policy = container.host_config.as_ref()?.restart_policy.as_ref()?.name?;
    (!matches!(policy, RestartPolicyNameEnum::NO | RestartPolicyNameEnum::EMPTY)).then_some(policy)
}

#[cfg(test)]
mod tests {
    use bollard::models::HostConfig;

    use super::*;

    fn with(policy: Option<RestartPolicyNameEnum>) -> ContainerInspectResponse {
        ContainerInspectResponse {
            host_config: Some(HostConfig {
                restart_policy: Some(RestartPolicy {
                    name: policy,
                    maximum_retry_count: None,
                }),
                ..HostConfig::default()
            }),
            ..ContainerInspectResponse::default()
        }
    }

    #[test]
    fn only_a_policy_that_restarts_is_foreign() {
        use RestartPolicyNameEnum::{ALWAYS, EMPTY, NO, ON_FAILURE, UNLESS_STOPPED};
        for policy in [ALWAYS, ON_FAILURE, UNLESS_STOPPED] {
            assert_eq!(foreign_policy(&with(Some(policy))), Some(policy));
        }
        for policy in [None, Some(NO), Some(EMPTY)] {
            assert_eq!(foreign_policy(&with(policy)), None);
        }
        assert_eq!(foreign_policy(&ContainerInspectResponse::default()), None);
    }
}
