//! Containers that share the network namespace of another container of their instance.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use bollard::models::ContainerInspectResponse;
use orchestrator_plugin::{Container, EngineError, FoundState, NetworkMode};

use crate::DockerEngine;
use crate::container::Namespace;
use crate::find::{netns, pid};

/// The network that a container belongs to now.
pub(crate) enum Network {
    /// The container has its own.
    Own,
    /// The caller made it, and it is at this path.
    Prepared(PathBuf),
    /// The container joins that of another one, which runs.
    Shared {
        /// The namespace.
        namespace: Namespace,
        /// The other one's first process.
        pid: u32,
    },
}

impl DockerEngine {
    /// Finds the container whose network namespace is to be shared, if there is one.
    ///
    /// # Errors
    ///
    /// [`EngineError::NotRunning`] if that one does not run.
    pub(crate) async fn find_network(
        &self,
        container: &Container,
        network: &NetworkMode,
    ) -> Result<Network, EngineError> {
        let with = match network {
            NetworkMode::Shared(with) => with,
            NetworkMode::Prepared(path) => return Ok(Network::Prepared(path.clone())),
            _ => return Ok(Network::Own),
        };
        let not_running = || EngineError::NotRunning {
            verb: "share a network with",
            subject: with.key.engine_name(),
        };
        if with.key.instance != container.key.instance || with.key.name == container.key.name {
            return Err(EngineError::Refused {
                verb: "share a network with",
                subject: with.key.engine_name(),
                reason: "it is not another container of the same instance".to_owned(),
            });
        }
        let other = self.find_ours(with).await?.ok_or_else(not_running)?.found;
        match other.state {
            FoundState::Running(running) | FoundState::Paused(running) => Ok(Network::Shared {
                namespace: Namespace::Shared {
                    with: with.key.name.clone(),
                    reference: other.reference,
                },
                pid: running.pid,
            }),
            FoundState::Created | FoundState::Exited { .. } => Err(not_running()),
        }
    }
}

impl Network {
    /// The namespace of a container that is created now.
    pub(crate) fn namespace(&self) -> Namespace {
        match self {
            Self::Own => Namespace::Own,
            Self::Prepared(path) => Namespace::Prepared(path.clone()),
            Self::Shared { namespace, .. } => namespace.clone(),
        }
    }

    /// Whether this container was made to share the network of another container than the present one. It can never be
    /// started again.
    pub(crate) fn is_of_another(&self, account: &ContainerInspectResponse) -> bool {
        let Self::Shared { namespace, .. } = self else {
            return false;
        };
        let host = account.host_config.as_ref();
        host.and_then(|host| host.network_mode.as_ref()) != Some(&namespace.mode())
    }

    /// Whether this container runs in a namespace that the other one left when it was started again. If that cannot be
    /// determined, it counts as right.
    pub(crate) fn was_left_by(&self, account: &ContainerInspectResponse) -> bool {
        let Self::Shared { pid: other, .. } = self else {
            return false;
        };
        match pid(account).and_then(|own| Some((namespace_of(own)?, namespace_of(*other)?))) {
            Some((own, other)) => own != other,
            None => false,
        }
    }
}

/// The identity of a process's network namespace.
fn namespace_of(pid: u32) -> Option<(u64, u64)> {
    let metadata = std::fs::metadata(netns(pid)).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use bollard::models::{ContainerState, HostConfig};
    use orchestrator_plugin::ContainerName;

    use super::*;

    fn account(mode: &str, pid: i64) -> ContainerInspectResponse {
        ContainerInspectResponse {
            host_config: Some(HostConfig {
                network_mode: Some(mode.to_owned()),
                ..HostConfig::default()
            }),
            state: Some(ContainerState {
                pid: Some(pid),
                ..ContainerState::default()
            }),
            ..ContainerInspectResponse::default()
        }
    }

    #[test]
    fn what_shares_with_one_that_is_gone_is_told_apart() {
        let network = Network::Shared {
            namespace: Namespace::Shared {
                with: ContainerName::MAIN,
                reference: "new".to_owned(),
            },
            pid: std::process::id(),
        };
        assert!(network.is_of_another(&account("container:old", 0)));
        assert!(!network.is_of_another(&account("container:new", 0)));
        assert!(!Network::Own.is_of_another(&account("none", 0)));
        let own = i64::from(std::process::id());
        assert!(!network.was_left_by(&account("container:new", own)), "the same process");
        assert!(!network.was_left_by(&account("container:new", 0)), "it does not run");
    }
}
