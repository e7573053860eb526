//! Instances: the containers that fill a slot of an owner.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::lease::words;
use super::{
    Attachment, ClientId, Container, EventKind, HostId, InstanceId, InstanceSpec, NewEvent, Owner, Slot, SlotKey,
    Times, Timestamp,
};

/// The phase of an instance. `machine` of the reconciler draws the transitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The instance is recorded, but is not known to run: it was not started yet, or waits for the next try. The reason
    /// says why.
    Pending,
    /// The instance runs or is being started. It does not answer yet.
    Starting,
    /// The instance runs, is wired, and answers.
    Ready,
    /// The client's lease ended. The instance runs until its grace period ends.
    Ending,
    /// The instance is stopped, and kept with its files for a while. It is started again if its client comes back.
    Stopped,
    /// The instance is being removed.
    Removing,
    /// The instance is gone. The row is kept as history.
    Removed,
}

words!(Phase {
    Pending = "pending",
    Starting = "starting",
    Ready = "ready",
    Ending = "ending",
    Stopped = "stopped",
    Removing = "removing",
    Removed = "removed",
});

/// An instance as it is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// The instance's id. Everything that is made for the instance carries it.
    pub id: InstanceId,
    /// The owner of the instance.
    pub owner: Owner,
    /// The owner's slot that it fills.
    pub slot: Slot,
    /// The host that it runs on; `None` until a scheduler has chosen one.
    pub host: Option<HostId>,
    /// The name of the template that it was made from.
    pub template: String,
    /// The version of the template at that time.
    pub version: u64,
    /// Its specification, as the template had it when the instance was made.
    pub spec: InstanceSpec,
    /// The phase of the instance.
    pub phase: Phase,
    /// The reason for the phase, if there is one: what failed, on what, and what to do.
    pub reason: Option<String>,
    /// The number of tries since it was last ready.
    pub attempts: u32,
    /// When the next try begins, or when the grace period ends. In [`Phase::Stopped`], when it is tried to be stopped;
    /// `None` once that is done.
    pub due: Option<Timestamp>,
    /// When it was recorded.
    pub created: Timestamp,
    /// When it first answered.
    pub ready: Option<Timestamp>,
    /// When its phase last changed.
    pub changed: Timestamp,
    /// Its times besides its client's lease.
    #[serde(default)]
    pub times: Times,
    /// Its containers. All of them use the network namespace of the first.
    pub containers: Vec<Container>,
    /// Its interfaces. Clients and checks reach it by the address of the first.
    pub attachments: Vec<Attachment>,
}

impl Instance {
    /// The slot that it fills, with its owner.
    pub fn key(&self) -> SlotKey {
        SlotKey {
            owner: self.owner.clone(),
            slot: self.slot.clone(),
        }
    }

    /// Whether its last try failed, so that it waits for another one: to be brought up, or to be removed.
    pub fn is_tried_again(&self) -> bool {
        let is_under_way = matches!(self.phase, Phase::Pending | Phase::Starting | Phase::Removing);
        let is_stopped_again = self.phase == Phase::Stopped && self.attempts > 0;
        (is_under_way || is_stopped_again) && self.reason.is_some() && self.due.is_some()
    }

    /// The client that owns it; `None` if the owner is not a client.
    pub const fn client(&self) -> Option<ClientId> {
        self.owner.client()
    }

    /// Its first attachment, by which clients and checks reach it. `None` for an instance without a network.
    pub fn attachment(&self) -> Option<&Attachment> {
        self.attachments.first()
    }

    /// The network of its first attachment; empty for an instance without a network.
    pub fn link(&self) -> &str {
        self.attachment().map_or("", |attachment| &attachment.network)
    }

    /// The address of its first attachment, unless that is pending.
    pub fn address(&self) -> Option<Ipv6Addr> {
        self.attachment()?.address
    }

    /// A new event of this instance, with its owner, its host and its first attachment.
    pub fn event(&self, at: Timestamp, kind: EventKind) -> NewEvent {
        NewEvent {
            link: self.attachment().map(|attachment| attachment.network.clone()),
            client: self.client(),
            instance: Some(self.id),
            host: self.host.clone(),
            service: self.owner.service_in(&self.slot).map(str::to_owned),
            leased: self.address().map(Into::into),
            ..NewEvent::new(at, kind)
        }
    }

    /// The plugin whose engine runs its first container.
    pub fn engine(&self) -> &str {
        self.containers.first().map_or("", |container| &container.engine)
    }

    /// The engine's name for its first container.
    pub fn reference(&self) -> Option<&str> {
        self.containers.first()?.reference.as_deref()
    }
}
