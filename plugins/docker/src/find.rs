//! One instance's container, and what the engine's account of it means.

use std::path::PathBuf;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum as Status};
use bollard::query_parameters::InspectContainerOptions;
use orchestrator_plugin::{Found, FoundState, InstanceId, Mark, PluginError, Running};

use crate::DockerPlugin;
use crate::errors::{NOT_FOUND, status};
use crate::mark::{container_name, instance, instance_filter};

impl DockerPlugin {
    /// The container of this instance, when it is there and ours, under whatever name it goes by now.
    pub(crate) async fn find_container(&self, id: &InstanceId) -> Result<Option<Found>, PluginError> {
        // Nearly always it has the name that we gave it: then one question is enough.
        let named = self.inspect(&container_name(id)).await?;
        let named = named.and_then(|container| self.ours(id, &container));
        match named {
            Some(found) => Ok(Some(found)),
            None => Ok(self.find_marked(id).await?.into_iter().next()),
        }
    }

    /// All containers that were made for this instance, by their mark. There is more than one only when somebody
    /// copied ours with its labels; the one that runs comes first.
    pub(crate) async fn find_marked(&self, id: &InstanceId) -> Result<Vec<Found>, PluginError> {
        let mut marked = Vec::new();
        for reference in self.references(instance_filter(&self.mark, id)).await? {
            let container = self.inspect(&reference).await?;
            marked.extend(container.and_then(|container| self.ours(id, &container)));
        }
        marked.sort_by_key(|found| !matches!(found.state, FoundState::Running(_)));
        Ok(marked)
    }

    /// The container as this instance's, when it is.
    pub(crate) fn ours(&self, id: &InstanceId, container: &ContainerInspectResponse) -> Option<Found> {
        found(&self.mark, container).filter(|found| found.id == *id)
    }

    /// The engine's account of the container with this name or reference, whoever's it is.
    pub(crate) async fn inspect(&self, name: &str) -> Result<Option<ContainerInspectResponse>, PluginError> {
        let answer = self
            .engine
            .ask(|docker| async move { docker.inspect_container(name, None::<InspectContainerOptions>).await });
        match answer.await {
            Ok(container) => Ok(Some(container)),
            Err(error) if status(&error) == Some(NOT_FOUND) => Ok(None),
            Err(error) => Err(self.engine.explain("inspect", name, error)),
        }
    }
}

/// The instance behind a container; `None` when the container does not carry our mark.
pub(crate) fn found(mark: &Mark, container: &ContainerInspectResponse) -> Option<Found> {
    let labels = container.config.as_ref()?.labels.as_ref()?;
    Some(Found {
        id: instance(mark, labels, container.image.as_deref()?)?,
        reference: container.id.clone()?,
        state: found_state(container),
    })
}

/// The word the engine has for the container's state.
pub(crate) fn engine_status(container: &ContainerInspectResponse) -> Option<Status> {
    container.state.as_ref()?.status
}

fn found_state(container: &ContainerInspectResponse) -> FoundState {
    let state = container.state.as_ref();
    let pid = state
        .and_then(|state| u32::try_from(state.pid?).ok())
        .filter(|pid| *pid > 0);
    let running = pid.map(|pid| Running {
        pid,
        netns: PathBuf::from(format!("/proc/{pid}/ns/net")),
    });
    match (running, engine_status(container)) {
        (Some(running), Some(Status::PAUSED)) => FoundState::Paused(running),
        (Some(running), _) => FoundState::Running(running),
        (None, Some(Status::CREATED)) => FoundState::Created,
        (None, _) => FoundState::Exited {
            code: state.and_then(|state| state.exit_code).unwrap_or_default(),
        },
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::{ContainerConfig, ContainerState};

    use super::*;
    use crate::mark::labels;

    const MARK: Mark = Mark {
        site: InstanceId::from_bytes([1; 6]),
    };
    const ID: InstanceId = InstanceId::from_bytes([2; 6]);

    fn container(status: Status, pid: i64, code: i64) -> ContainerInspectResponse {
        ContainerInspectResponse {
            id: Some("c0ffee".to_owned()),
            image: Some("sha256:0a1b".to_owned()),
            config: Some(ContainerConfig {
                labels: Some(labels(&MARK, &ID, "sha256:0a1b").into()),
                ..Default::default()
            }),
            state: Some(ContainerState {
                status: Some(status),
                pid: Some(pid),
                exit_code: Some(code),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    fn state(status: Status, pid: i64, code: i64) -> FoundState {
        found(&MARK, &container(status, pid, code)).unwrap().state
    }

    #[test]
    fn what_has_a_process_runs() {
        let running = Running {
            pid: 77,
            netns: PathBuf::from("/proc/77/ns/net"),
        };
        assert_eq!(state(Status::RUNNING, 77, 0), FoundState::Running(running.clone()));
        assert_eq!(state(Status::PAUSED, 77, 0), FoundState::Paused(running));
    }

    #[test]
    fn what_has_none_was_made_or_has_ended() {
        assert_eq!(state(Status::CREATED, 0, 0), FoundState::Created);
        assert_eq!(state(Status::EXITED, 0, 137), FoundState::Exited { code: 137 });
        assert_eq!(state(Status::DEAD, 0, 1), FoundState::Exited { code: 1 });
        assert_eq!(state(Status::REMOVING, 0, 0), FoundState::Exited { code: 0 });
        assert_eq!(state(Status::RESTARTING, 0, 2), FoundState::Exited { code: 2 });
    }

    #[test]
    fn a_container_without_labels_is_not_ours() {
        let stranger = ContainerInspectResponse {
            config: None,
            ..container(Status::RUNNING, 77, 0)
        };
        assert_eq!(found(&MARK, &stranger), None);
        let of_a_committed_image = ContainerInspectResponse {
            image: Some("sha256:ffff".to_owned()),
            ..container(Status::RUNNING, 77, 0)
        };
        assert_eq!(found(&MARK, &of_a_committed_image), None);
    }
}
