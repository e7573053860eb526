//! The state of a fake machine.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::path::PathBuf;

use bytes::Bytes;
use ipnet::Ipv6Net;
use orchestrator_doctor::Fix;
use orchestrator_plugin::{ContainerName, ContainerSpec, Id, InstanceId};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{FakeBridge, FakeRoute, Faults, MachineSettings, Random};
use crate::{
    Capacity, Examination, FoundState, HostChange, NetworkPart, PolicyCounts, PolicyItem, PolicyKey, WatchScope,
};

/// A container of a fake machine.
#[derive(Debug, Clone, PartialEq)]
pub struct FakeContainer {
    /// The engine that has it.
    pub engine: String,
    /// The engine's own name for it.
    pub reference: String,
    /// What it does.
    pub state: FoundState,
    /// Which start it is, of all starts on the machine.
    pub process: u64,
    /// The start of the first container whose network namespace it shares; `None` for a first container.
    pub network: Option<u64>,
    /// When it was started.
    pub started: Instant,
    /// What it was made as.
    pub spec: ContainerSpec,
    /// The volumes that it has.
    pub volumes: Vec<Id>,
    /// What was written into it.
    pub files: BTreeMap<PathBuf, Bytes>,
}

/// An attachment of a fake machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FakeAttachment {
    /// The instance that it was made for.
    pub instance: InstanceId,
    /// The bridge that it is on.
    pub bridge: String,
    /// Its address.
    pub address: Option<Ipv6Addr>,
    /// The start of the container that it leads to.
    pub process: u64,
    /// Whether it is isolated.
    pub isolated: bool,
    /// The prefixes that are routed to it.
    pub routed: Vec<Ipv6Net>,
}

/// How an engine treats requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum EngineState {
    /// It answers.
    #[default]
    Up,
    /// It refuses.
    Down,
    /// It takes the question and does not answer.
    Hanging,
}

/// Where reports go.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) scope: WatchScope,
    pub(super) sender: mpsc::UnboundedSender<HostChange>,
}

/// Whether a fake machine can check packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FakeFilter {
    /// It can.
    #[default]
    Works,
    /// It fails, because something is missing on the machine.
    Fails,
    /// The host has no such capability.
    Absent,
}

/// The state of a fake machine. It stays when the daemon crashes.
#[derive(Debug)]
pub struct FakeState {
    pub(super) settings: MachineSettings,
    pub(super) random: Random,
    pub(super) faults: Faults,
    pub(super) engines: BTreeMap<String, EngineState>,
    pub(super) watchers: Vec<Watcher>,
    pub(super) starts: u64,
    pub(super) indexes: u32,
    pub(super) generations: BTreeMap<NetworkPart, u64>,
    /// Its containers.
    pub containers: BTreeMap<(InstanceId, ContainerName), FakeContainer>,
    /// Its attachments.
    pub attachments: BTreeMap<Id, FakeAttachment>,
    /// Its volumes, each with what a test wrote into it.
    pub volumes: BTreeMap<Id, Bytes>,
    /// What it has to give to instances.
    pub capacity: Capacity,
    /// The limits of its volumes, in bytes.
    pub volume_limits: BTreeMap<Id, u64>,
    /// Its bridges.
    pub bridges: BTreeMap<String, FakeBridge>,
    /// Its routes, ours and those of others.
    pub routes: Vec<FakeRoute>,
    /// What its packet filter lets pass.
    pub policy: BTreeMap<PolicyKey, PolicyItem>,
    /// Whether it can check packets.
    pub filter: FakeFilter,
    /// What its packet filter refuses.
    pub refused_policy: BTreeSet<PolicyKey>,
    /// What its packet filter has counted, as a test says.
    pub policy_counts: PolicyCounts,
    /// What an examination finds, as a test says; `None` for a machine of which nothing can be read.
    pub examination: Option<Examination>,
    /// The fixes that were asked for.
    pub mended: Vec<Fix>,
    /// Whether it passes on packets between its networks.
    pub forwards: bool,
    /// Images whose instances never answer.
    pub silent: BTreeSet<String>,
    /// The id of each image by engine and name. An image that is not here is there all the same, with its name as its id.
    pub images: BTreeMap<(String, String), String>,
    /// Whether nobody gets to read what containers wrote: the engine takes the question and does not answer.
    pub logs_hang: bool,
    /// Whether every removal of an instance is refused.
    pub keeps: bool,
    /// Violations: things that must never happen and did, in their order.
    pub violations: Vec<String>,
    /// How often each verb was called.
    pub calls: BTreeMap<&'static str, u64>,
    /// How many calls of each verb are under way now, and how many there were at most.
    pub under_way: BTreeMap<&'static str, (u64, u64)>,
}

impl FakeState {
    /// Reports to whoever watches. Reports get lost and late on the way ([`watch`](super::watch)).
    pub(super) fn report(&mut self, scope: &WatchScope, change: &HostChange) {
        self.watchers
            .retain(|watcher| watcher.scope != *scope || watcher.sender.send(change.clone()).is_ok());
    }

    /// An engine reports that something happened to an instance.
    pub(super) fn report_instance(&mut self, engine: &str, id: InstanceId) {
        self.report(&WatchScope::Engine(engine.to_owned()), &HostChange::Instance(id));
    }

    /// Ends every watch of an engine, as the engine does when it ends.
    pub(super) fn break_watches(&mut self, engine: &str) {
        let of = |scope: &WatchScope| matches!(scope, WatchScope::Engine(name) if name == engine);
        self.watchers.retain(|watcher| !of(&watcher.scope));
    }

    /// How many starts of containers there were.
    pub fn starts(&self) -> u64 {
        self.starts
    }

    /// The first container of an instance.
    pub fn first(&self, id: InstanceId) -> Option<&FakeContainer> {
        self.containers.get(&(id, ContainerName::MAIN))
    }

    /// Attachments whose container was started again or is gone went with its network namespace.
    pub(super) fn drop_unattached(&mut self) {
        let containers = &self.containers;
        let lives = |attachment: &FakeAttachment| {
            let first = containers.get(&(attachment.instance, ContainerName::MAIN));
            let runs = |state| matches!(state, FoundState::Running | FoundState::Paused);
            first.is_some_and(|first| first.process == attachment.process && runs(first.state))
        };
        let gone: Vec<Id> = self
            .attachments
            .iter()
            .filter(|(_, attachment)| !lives(attachment))
            .map(|(id, _)| *id)
            .collect();
        for id in gone {
            if let Some(attachment) = self.attachments.remove(&id) {
                self.report(&WatchScope::Networks, &HostChange::PortFreed);
                self.report(&WatchScope::Networks, &HostChange::Instance(attachment.instance));
            }
        }
    }

    /// Records what must never be: two instances in one slot, or one address twice on a network.
    pub(super) fn look_for_violations(&mut self) {
        let mut slots = BTreeMap::new();
        let mut found = Vec::new();
        for ((id, name), container) in &self.containers {
            let slot = (self.settings.slot_of)(&container.spec);
            let Some(slot) = slot.filter(|_| name.is_main()) else {
                continue;
            };
            if let Some(other) = slots.insert(slot.clone(), *id) {
                found.push(format!("slot {slot} has two instances: {other} and {id}"));
            }
        }
        let mut holders = BTreeMap::new();
        for ((id, _), container) in &self.containers {
            for volume in &container.volumes {
                match holders.insert(*volume, *id) {
                    Some(other) if other != *id => {
                        found.push(format!("volume {volume} is in two instances: {other} and {id}"));
                    }
                    _ => {}
                }
                if !self.volumes.contains_key(volume) {
                    found.push(format!("volume {volume} was removed while {id} holds it"));
                }
            }
        }
        let mut addresses = BTreeMap::new();
        for attachment in self.attachments.values() {
            let Some(address) = attachment.address else { continue };
            let key = (attachment.bridge.clone(), address);
            if let Some(other) = addresses.insert(key, attachment.instance) {
                let instance = attachment.instance;
                found.push(format!("{address} belongs to two instances: {other} and {instance}"));
            }
        }
        for violation in found {
            if !self.violations.contains(&violation) {
                self.violations.push(violation);
            }
        }
    }

    /// How many ports a bridge has left; `None` when it is not there.
    pub(super) fn free_ports(&self, bridge: &str) -> Option<usize> {
        let ports = self.bridges.get(bridge)?.ports;
        let taken = self.attachments.values().filter(|one| one.bridge == bridge).count();
        Some(ports.saturating_sub(taken))
    }
}
