//! Finds the container that a caller means, and interprets the engine's description of it.

use std::path::PathBuf;
use std::time::Duration;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum as Status};
use bollard::query_parameters::InspectContainerOptions;
use orchestrator_plugin::{Container, EngineError, Found, FoundState, Mark, Running, RunningNetwork};
use tokio::time::{Instant, sleep};

use crate::DockerEngine;
use crate::container::prepared;
use crate::errors::{ApiError, NOT_FOUND, status};
use crate::mark::{SHARES, instance_filter, is_meant, marked};

/// The pause before the engine is asked again about a container that is between two states.
const PAUSE: Duration = Duration::from_millis(20);

/// A container of ours, with the engine's description of it.
pub(crate) struct Ours {
    pub(crate) found: Found,
    pub(crate) account: ContainerInspectResponse,
}

impl DockerEngine {
    /// The container that the caller means, whatever its name is now.
    ///
    /// Nearly always it has the recorded id or its original name. Then one request is enough.
    pub(crate) async fn find_ours(&self, container: &Container) -> Result<Option<Ours>, EngineError> {
        let expected = container.reference.clone();
        let expected = expected.unwrap_or_else(|| container.key.engine_name());
        if let Some(account) = self.inspect(&expected).await?
            && let Some(ours) = self.ours(container, account)
        {
            return Ok(Some(ours));
        }
        self.find_marked(container).await
    }

    /// The container that the caller means, by its labels only.
    pub(crate) async fn find_marked(&self, container: &Container) -> Result<Option<Ours>, EngineError> {
        for candidate in self.marked(container).await? {
            if let Some(account) = self.inspect(&candidate).await?
                && let Some(ours) = self.ours(container, account)
            {
                return Ok(Some(ours));
            }
        }
        Ok(None)
    }

    /// The ids of all containers that the caller may mean, the likeliest first: the one with the name that we gave it,
    /// then the oldest. There are several only when somebody copied ours and no reference was recorded.
    pub(crate) async fn marked(&self, container: &Container) -> Result<Vec<String>, EngineError> {
        let name = format!("/{}", container.key.engine_name());
        let mut candidates = Vec::new();
        // The engine lists the newest first, with times in whole seconds.
        let listed = self.listed(instance_filter(&self.mark, &container.key)).await?;
        for (age, listed) in listed.into_iter().rev().enumerate() {
            let (Some(reference), Some(labels), Some(image)) = (listed.id, listed.labels, listed.image_id) else {
                continue;
            };
            let key = marked(&self.mark, &labels, &image);
            if key.as_ref() == Some(&container.key) && is_meant(container, &reference, &labels) {
                let is_named = listed.names.is_some_and(|names| names.contains(&name));
                candidates.push((!is_named, listed.created, age, reference));
            }
        }
        candidates.sort();
        Ok(candidates.into_iter().map(|(.., reference)| reference).collect())
    }

    /// The container, if it is the one that the caller means.
    pub(crate) fn ours(&self, container: &Container, account: ContainerInspectResponse) -> Option<Ours> {
        let found = found(&self.mark, &account).filter(|found| found.key == container.key)?;
        let labels = account.config.as_ref()?.labels.as_ref()?;
        is_meant(container, &found.reference, labels).then_some(Ours { found, account })
    }

    /// The engine's description of the container with this name or reference, whether or not it is ours.
    pub(crate) async fn inspect(&self, name: &str) -> Result<Option<ContainerInspectResponse>, EngineError> {
        let inspecting = || {
            self.connection
                .ask(|docker| async move { docker.inspect_container(name, None::<InspectContainerOptions>).await })
        };
        match self.settled(inspecting).await {
            Ok(container) => Ok(Some(container)),
            Err(error) if status(&error) == Some(NOT_FOUND) => Ok(None),
            Err(error) => Err(self.connection.explain("inspect", name, error)),
        }
    }

    /// Asks again while a container that the answer is about is between two states.
    pub(crate) async fn settled<T, F>(&self, ask: impl Fn() -> F) -> Result<T, ApiError>
    where
        F: Future<Output = Result<T, ApiError>>,
    {
        let deadline = Instant::now() + self.connection.timeout();
        loop {
            match ask().await {
                Err(error) if is_between_states(&error) && Instant::now() < deadline => sleep(PAUSE).await,
                answer => return answer,
            }
        }
    }
}

/// The key and state of a container; `None` if it does not carry our mark.
pub(crate) fn found(mark: &Mark, container: &ContainerInspectResponse) -> Option<Found> {
    let labels = container.config.as_ref()?.labels.as_ref()?;
    Some(Found {
        key: marked(mark, labels, container.image.as_deref()?)?,
        reference: container.id.clone()?,
        state: found_state(container),
    })
}

/// Whether Podman has noticed the end of the container but not cleaned up yet. Docker's API has no such state, so the
/// client library cannot parse the answer.
fn is_between_states(error: &ApiError) -> bool {
    matches!(error, ApiError::JsonDataError { message, .. } if message.contains("variant `stopped`"))
}

/// The engine's word for the state of the container.
pub(crate) fn engine_status(container: &ContainerInspectResponse) -> Option<Status> {
    container.state.as_ref()?.status
}

/// The number of the container's first process, while it runs.
pub(crate) fn pid(container: &ContainerInspectResponse) -> Option<u32> {
    let pid = container.state.as_ref()?.pid?;
    u32::try_from(pid).ok().filter(|pid| *pid > 0)
}

/// The path of the network namespace of a process.
pub(crate) fn netns(pid: u32) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}/ns/net"))
}

fn found_state(container: &ContainerInspectResponse) -> FoundState {
    let running = pid(container).map(|pid| Running {
        pid,
        network: network(container, pid),
    });
    match (running, engine_status(container)) {
        (Some(running), Some(Status::PAUSED)) => FoundState::Paused(running),
        (Some(running), _) => FoundState::Running(running),
        (None, Some(Status::CREATED)) => FoundState::Created,
        (None, _) => FoundState::Exited {
            code: container
                .state
                .as_ref()
                .and_then(|state| state.exit_code)
                .unwrap_or_default(),
        },
    }
}

fn network(container: &ContainerInspectResponse, pid: u32) -> RunningNetwork {
    let labels = container.config.as_ref().and_then(|config| config.labels.as_ref());
    let shares = labels.and_then(|labels| labels.get(SHARES)?.parse().ok());
    let host = container.host_config.as_ref();
    let mode = host.and_then(|host| host.network_mode.as_deref());
    match (shares, mode.and_then(prepared)) {
        (Some(name), _) => RunningNetwork::Shared(name),
        (None, Some(path)) => RunningNetwork::Prepared(path.to_owned()),
        (None, None) => RunningNetwork::EngineNamespace(netns(pid)),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use bollard::models::{ContainerConfig, ContainerState, HostConfig};
    use orchestrator_plugin::{ContainerKey, ContainerName, InstanceId};

    use super::*;
    use crate::mark::labels;
    use crate::{Dialect, DockerSettings};

    const MARK: Mark = Mark {
        site: InstanceId::from_bytes([1; 6]),
    };
    const ID: InstanceId = InstanceId::from_bytes([2; 6]);

    fn container(status: Status, pid: i64, code: i64) -> ContainerInspectResponse {
        ContainerInspectResponse {
            id: Some("c0ffee".to_owned()),
            image: Some("sha256:0a1b".to_owned()),
            config: Some(ContainerConfig {
                labels: Some(labels(&MARK, &Container::main(ID), "sha256:0a1b")),
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
            network: RunningNetwork::EngineNamespace(PathBuf::from("/proc/77/ns/net")),
        };
        assert_eq!(state(Status::RUNNING, 77, 0), FoundState::Running(running.clone()));
        assert_eq!(state(Status::PAUSED, 77, 0), FoundState::Paused(running));
    }

    #[test]
    fn what_shares_the_network_of_another_says_so() {
        let mut shares = container(Status::RUNNING, 77, 0);
        let labels = shares.config.as_mut().unwrap().labels.as_mut().unwrap();
        labels.insert(SHARES.to_owned(), "main".to_owned());
        let FoundState::Running(running) = found(&MARK, &shares).unwrap().state else {
            panic!("it runs");
        };
        assert_eq!(running.network, RunningNetwork::Shared(ContainerName::MAIN));
        assert_eq!(running.netns(), None);
    }

    #[test]
    fn what_runs_in_a_prepared_namespace_says_where_that_is() {
        let mut inspected = container(Status::RUNNING, 77, 0);
        inspected.host_config = Some(HostConfig {
            network_mode: Some("ns:/run/netns/x".to_owned()),
            ..HostConfig::default()
        });
        let FoundState::Running(running) = found(&MARK, &inspected).unwrap().state else {
            panic!("it runs");
        };
        assert_eq!(running.network, RunningNetwork::Prepared("/run/netns/x".into()));
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
    fn only_a_word_of_podman_s_is_waited_for() {
        let nonsense = |message: &str| ApiError::JsonDataError {
            message: message.to_owned(),
            column: 202,
        };
        assert!(is_between_states(&nonsense(
            "unknown variant `stopped`, expected one of ``, `created`"
        )));
        assert!(!is_between_states(&nonsense(
            "unknown variant `odd`, expected one of ``, `created`"
        )));
        assert!(!is_between_states(&ApiError::RequestTimeoutError));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_about_a_container_between_two_states_is_asked_for_again_within_the_limit() {
        let engine = DockerEngine::new("podman", DockerSettings::of(Dialect::Podman), MARK);
        let stopped = || ApiError::JsonDataError {
            message: "unknown variant `stopped`, expected one of ``".to_owned(),
            column: 524,
        };
        let asked = Cell::new(0);
        let count = || asked.replace(asked.get() + 1);
        let settling = || async { if count() < 3 { Err(stopped()) } else { Ok("listed") } };
        assert_eq!(engine.settled(settling).await.unwrap(), "listed");
        assert_eq!(asked.get(), 4);
        let for_ever = || async { Err::<(), _>(stopped()) };
        assert!(is_between_states(&engine.settled(for_ever).await.unwrap_err()));
        let other = || async {
            count();
            Err::<(), _>(ApiError::RequestTimeoutError)
        };
        asked.set(0);
        engine.settled(other).await.unwrap_err();
        assert_eq!(asked.get(), 1, "no other fault passes by itself");
    }

    #[test]
    fn a_container_without_labels_is_not_ours() {
        let ours = container(Status::RUNNING, 77, 0);
        assert_eq!(found(&MARK, &ours).unwrap().key, ContainerKey::main(ID));
        let stranger = ContainerInspectResponse { config: None, ..ours };
        assert_eq!(found(&MARK, &stranger), None);
        let of_a_committed_image = ContainerInspectResponse {
            image: Some("sha256:ffff".to_owned()),
            ..container(Status::RUNNING, 77, 0)
        };
        assert_eq!(found(&MARK, &of_a_committed_image), None);
    }
}
