//! The limits in force, as plain values.

use std::collections::BTreeMap;

use orchestrator_catalog::Declared;
use orchestrator_host::Capacity;
use orchestrator_model::{HostId, PauseScope};
use orchestrator_settings::{Ceiling, LimitsSettings, LinkLimits};

/// How often a processor is promised where the settings do not say: instances share it by time, and most of them are idle.
const PROCESSOR_SHARED: u64 = 64;

/// Instances that an engine of a host is making at the same time. The next one is chosen when one of them is up, so that
/// who comes later does not wait for all that came before.
pub(super) const MAKING: usize = 12;

/// What a host may promise; `None` for no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HostLimits {
    /// Live instances.
    pub(crate) instances: Option<u64>,
    /// Bytes of memory.
    pub(crate) memory: Option<u64>,
    /// Thousandths of a processor.
    pub(crate) millicpus: Option<u64>,
    /// Processes and threads.
    pub(crate) pids: Option<u64>,
    /// Bytes that instances may write.
    pub(crate) disk: Option<u64>,
}

impl HostLimits {
    fn of(settings: &LimitsSettings, capacity: Capacity) -> Self {
        let of = |ceiling: Ceiling, machine: Option<u64>| match ceiling {
            Ceiling::Machine => machine,
            Ceiling::Open => None,
            Ceiling::At(limit) => Some(limit),
        };
        let processors = capacity.processors;
        let shared = processors.map(|number| number.saturating_mul(1000 * PROCESSOR_SHARED));
        Self {
            instances: settings.instances,
            memory: of(settings.memory, capacity.memory),
            millicpus: of(settings.millicpus, shared),
            pids: of(settings.pids, capacity.pids),
            disk: of(settings.disk, capacity.disk),
        }
    }
}

/// All limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) hosts: BTreeMap<HostId, HostLimits>,
    pub(crate) links: BTreeMap<String, LinkLimits>,
    /// The templates that have a limit on their live instances.
    pub(crate) templates: BTreeMap<String, u64>,
    pub(crate) client_instances: Option<u64>,
    pub(crate) client_creations: Option<u64>,
    /// The part of a port, in thousandths.
    pub(crate) share: u32,
    /// Instances that may wait.
    pub(crate) queue: usize,
    /// Instances that an engine of a host is making at the same time.
    pub(crate) making: usize,
    /// Engines of all hosts.
    pub(crate) engines: usize,
    pub(crate) paused: Vec<PauseScope>,
}

impl Default for Limits {
    /// No limits.
    fn default() -> Self {
        Self {
            hosts: BTreeMap::new(),
            links: BTreeMap::new(),
            templates: BTreeMap::new(),
            client_instances: None,
            client_creations: None,
            share: 1000,
            queue: usize::MAX,
            making: usize::MAX,
            engines: usize::MAX,
            paused: Vec::new(),
        }
    }
}

impl Limits {
    /// The limits of what is declared, on these machines.
    pub(super) fn of(
        declared: &Declared,
        machines: impl Iterator<Item = (HostId, Capacity)>,
        paused: Vec<PauseScope>,
    ) -> Self {
        let settings = declared.settings();
        let limits = &settings.limits;
        let templates = declared.templates();
        let limited = templates.filter_map(|one| Some((one.name.clone(), one.settings.instances?)));
        Self {
            hosts: machines
                .map(|(host, capacity)| (host, HostLimits::of(limits, capacity)))
                .collect(),
            links: settings
                .links
                .iter()
                .map(|link| (link.name.clone(), link.limits))
                .collect(),
            templates: limited.collect(),
            client_instances: limits.client_instances,
            client_creations: limits.client_creations,
            share: limits.port_share,
            queue: limits.queue,
            making: MAKING,
            engines: settings.engines.names().count(),
            paused,
        }
    }

    pub(super) fn host(&self, host: &HostId) -> HostLimits {
        self.hosts.get(host).copied().unwrap_or_default()
    }

    /// The limits of a link. One that the settings do not have has none.
    pub(super) fn link(&self, link: &str) -> LinkLimits {
        const OPEN: LinkLimits = LinkLimits {
            instances: None,
            client_instances: None,
            port_instances: None,
            creations: None,
            identities: None,
        };
        self.links.get(link).copied().unwrap_or(OPEN)
    }

    /// The pause that covers an instance of this template on this link.
    pub(super) fn pause(&self, link: &str, template: &str) -> Option<&PauseScope> {
        self.paused.iter().find(|scope| scope.covers(link, template))
    }
}
