//! A container in memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use orchestrator_plugin::{
    Container, ContainerKey, ContainerSpec, Found, FoundState, NetworkMode, Output, Running, RunningNetwork, SiteId,
    VolumeSource,
};

/// A container on the far side of the fake.
#[derive(Debug, Clone)]
pub(crate) struct FakeContainer {
    pub(crate) reference: String,
    pub(crate) name: String,
    /// The site and key of the container; `None` for a stranger's.
    pub(crate) mark: Option<(SiteId, ContainerKey)>,
    /// The reference that its maker had recorded.
    pub(crate) replaces: Option<String>,
    pub(crate) spec: ContainerSpec,
    /// The id of the image that it was made from.
    pub(crate) image: Option<String>,
    pub(crate) network: NetworkMode,
    /// The files that were written in it. They survive a stop.
    pub(crate) files: BTreeMap<PathBuf, Vec<u8>>,
    pub(crate) log: Vec<Output>,
    pub(crate) state: State,
    pub(crate) starts: u32,
    /// The namespace of another container that it is in, as reference and number of that one's start.
    pub(crate) joined: Option<(String, u32)>,
}

/// The state of its first process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Created,
    Running { pid: u32 },
    Paused { pid: u32 },
    Exited { code: i64 },
}

impl FakeContainer {
    /// Whether it is the container that a caller of this site means.
    pub(crate) fn is_meant(&self, site: SiteId, container: &Container) -> bool {
        let marked = self.mark.as_ref() == Some(&(site, container.key.clone()));
        marked
            && match &container.reference {
                None => true,
                Some(recorded) => *recorded == self.reference || self.replaces.as_ref() == Some(recorded),
            }
    }

    /// The container as a plugin reports it; `None` for a stranger's.
    pub(crate) fn found(&self) -> Option<Found> {
        let running = |pid| Running {
            pid,
            network: self.running_network(),
        };
        Some(Found {
            key: self.mark.as_ref()?.1.clone(),
            reference: self.reference.clone(),
            state: match self.state {
                State::Created => FoundState::Created,
                State::Running { pid } => FoundState::Running(running(pid)),
                State::Paused { pid } => FoundState::Paused(running(pid)),
                State::Exited { code } => FoundState::Exited { code },
            },
        })
    }

    fn running_network(&self) -> RunningNetwork {
        match &self.network {
            NetworkMode::EngineNamespace => {
                RunningNetwork::EngineNamespace(format!("/fake/{}/{}", self.reference, self.starts).into())
            }
            NetworkMode::Prepared(path) => RunningNetwork::Prepared(path.clone()),
            NetworkMode::Shared(with) => RunningNetwork::Shared(with.key.name.clone()),
            NetworkMode::EnginePort { network } => RunningNetwork::EnginePort {
                interface: format!("{network}-{}", self.reference),
            },
            NetworkMode::Tap { interface } => RunningNetwork::Tap {
                interface: interface.clone(),
            },
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.state, State::Running { .. } | State::Paused { .. })
    }

    /// The volume that holds this path, with the path within it and whether it may only be read.
    pub(crate) fn volume_of(&self, path: &Path) -> Option<(String, PathBuf, bool)> {
        let mut volumes = self.spec.volumes.iter();
        let volume = volumes.find(|volume| path.starts_with(&volume.target))?;
        let within = path.strip_prefix(&volume.target).ok()?.to_owned();
        let name = match &volume.source {
            VolumeSource::Name(name) => name.clone(),
            VolumeSource::Path(path) => path.display().to_string(),
        };
        Some((name, within, volume.read_only))
    }

    /// The file at this path, outside of volumes.
    pub(crate) fn own_file(&self, path: &Path) -> Option<Vec<u8>> {
        if let Some(bytes) = self.files.get(path) {
            return Some(bytes.clone());
        }
        if self.spec.devices.iter().any(|device| device.target == path) {
            return Some(Vec::new());
        }
        let resolver = self
            .spec
            .resolver
            .as_ref()
            .filter(|_| path == Path::new("/etc/resolv.conf"))?;
        let servers = resolver.servers.iter().map(|server| format!("nameserver {server}\n"));
        let search = format!("search {}\n", resolver.search.join(" "));
        Some(servers.chain([search]).collect::<String>().into_bytes())
    }
}
