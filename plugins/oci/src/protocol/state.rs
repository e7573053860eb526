//! Containers as the helper reports them.

use std::path::PathBuf;

use orchestrator_plugin::{Found, FoundState, Running, RunningNetwork};
use serde::{Deserialize, Serialize};

use super::Target;

/// A container as the helper has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundAnswer {
    /// The container, with its reference.
    pub container: Target,
    /// Its present state.
    pub state: State,
}

/// The present state of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Made, never started.
    Created,
    /// Its first process runs.
    Running(RunningAnswer),
    /// Its processes are frozen.
    Paused(RunningAnswer),
    /// Its first process has ended.
    Exited {
        /// The exit code; 128 + signal when a signal ended it.
        code: i64,
    },
}

/// A container that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningAnswer {
    /// The number of the first process, in the process namespace of the helper.
    pub pid: u32,
    /// Where its network is.
    pub network: RunningIn,
}

/// Where the network of a running container is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunningIn {
    /// In a namespace that was made for it at its start.
    Own,
    /// In the namespace at this path, which the caller made.
    Prepared(PathBuf),
    /// In that of the container of this name of the same instance.
    Shared(orchestrator_plugin::ContainerName),
}

impl From<FoundAnswer> for Found {
    fn from(answer: FoundAnswer) -> Self {
        Self {
            key: answer.container.key(),
            reference: answer.container.reference.unwrap_or_default(),
            state: answer.state.into(),
        }
    }
}

impl From<State> for FoundState {
    fn from(state: State) -> Self {
        match state {
            State::Created => Self::Created,
            State::Running(running) => Self::Running(running.into()),
            State::Paused(running) => Self::Paused(running.into()),
            State::Exited { code } => Self::Exited { code },
        }
    }
}

impl From<RunningAnswer> for Running {
    fn from(running: RunningAnswer) -> Self {
        let network = match running.network {
            RunningIn::Own => RunningNetwork::EngineNamespace(PathBuf::from(format!("/proc/{}/ns/net", running.pid))),
            RunningIn::Prepared(path) => RunningNetwork::Prepared(path),
            RunningIn::Shared(name) => RunningNetwork::Shared(name),
        };
        Self {
            pid: running.pid,
            network,
        }
    }
}
