//! Claims: what an instance takes of its host, and whom it counts for.

use orchestrator_model::{HostId, InstanceSpec, Owner, Resources, Share};
use orchestrator_settings::TemplateSettings;
use orchestrator_store::Promise;

/// What an instance is promised. A container without a limit is promised nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Bytes of memory.
    pub(crate) memory: u64,
    /// Thousandths of a processor.
    pub(crate) millicpus: u64,
    /// Processes and threads.
    pub(crate) pids: u64,
    /// Bytes that it may write.
    pub(crate) disk: u64,
}

impl Size {
    /// The limits of all containers of a specification together.
    pub(super) fn of_spec(spec: &InstanceSpec) -> Self {
        let others = spec.sidecars.iter().map(|sidecar| &sidecar.spec.resources);
        Self::of(std::iter::once(&spec.main.resources).chain(others))
    }

    /// The limits of all containers of a template together.
    pub(super) fn of_template(template: &TemplateSettings) -> Self {
        Self::of(template.containers().map(|(_, container)| &container.resources))
    }

    fn of<'a>(all: impl Iterator<Item = &'a Resources>) -> Self {
        all.fold(Self::default(), |sum, one| {
            sum.plus(Self {
                memory: one.memory.unwrap_or(0),
                millicpus: one.millicpus.unwrap_or(0).into(),
                pids: one.pids.unwrap_or(0).into(),
                disk: one.disk.unwrap_or(0),
            })
        })
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            memory: self.memory.saturating_add(other.memory),
            millicpus: self.millicpus.saturating_add(other.millicpus),
            pids: self.pids.saturating_add(other.pids),
            disk: self.disk.saturating_add(other.disk),
        }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            memory: self.memory.saturating_sub(other.memory),
            millicpus: self.millicpus.saturating_sub(other.millicpus),
            pids: self.pids.saturating_sub(other.pids),
            disk: self.disk.saturating_sub(other.disk),
        }
    }
}

/// A bridge port of a link; without a port, all of the link whose port is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Port {
    pub(super) link: String,
    pub(super) port: Option<String>,
}

impl Port {
    pub(super) fn of(share: &Share) -> Self {
        Self {
            link: share.link.clone(),
            port: share.port.clone(),
        }
    }
}

/// What an instance takes, and of whose share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The host that is to run it.
    pub(crate) host: HostId,
    /// The engine that is to run it.
    pub(crate) engine: String,
    /// The name of its template.
    pub(crate) template: String,
    /// Its owner.
    pub(crate) owner: Owner,
    /// Whom it counts for.
    pub(crate) share: Share,
    /// What it is promised.
    pub(crate) size: Size,
}

impl From<&Promise> for Claim {
    fn from(promise: &Promise) -> Self {
        Self {
            host: promise.host.clone().unwrap_or_else(HostId::local),
            engine: promise.engine.clone(),
            template: promise.template.clone(),
            owner: promise.key.owner.clone(),
            share: promise.share.clone(),
            size: Size::of_spec(&promise.spec),
        }
    }
}
