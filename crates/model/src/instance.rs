//! What fills a slot of an owner: one template, provisioned.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::lease::words;
use super::{
    Attachment, ClientId, Container, EventKind, HostId, InstanceId, InstanceSpec, NewEvent, Owner, Slot, SlotKey,
    Timestamp,
};

/// Where an instance is on its way. `orchestrator::machine` draws the ways between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Wanted, and nothing is known to run: not begun, or waiting to be tried again. The reason says for what.
    Pending,
    /// Running or about to run; not yet answering.
    Starting,
    /// Running, wired, and answering.
    Ready,
    /// Its lease ended; it goes on running until its grace ends.
    Ending,
    /// On its way out.
    Removing,
    /// Gone. The row is kept as history.
    Removed,
}

words!(Phase {
    Pending = "pending",
    Starting = "starting",
    Ready = "ready",
    Ending = "ending",
    Removing = "removing",
    Removed = "removed",
});

/// An instance as it is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name, carried by everything that is made for it.
    pub id: InstanceId,
    /// For whom it exists.
    pub owner: Owner,
    /// Which of its owner's slots it fills.
    pub slot: Slot,
    /// The host that it runs on; `None` until somebody else's scheduler has chosen one.
    pub host: Option<HostId>,
    /// Name of the template it was made from.
    pub template: String,
    /// The version that the template had then.
    pub version: u64,
    /// What it is to be, as the template said when it was made.
    pub spec: InstanceSpec,
    /// Where it is on its way.
    pub phase: Phase,
    /// Why it is there, where that needs saying: what failed, on what, what to do.
    pub reason: Option<String>,
    /// Tries since it last was ready.
    pub attempts: u32,
    /// When it is tried again, or when its grace ends.
    pub due: Option<Timestamp>,
    /// When it was recorded.
    pub created: Timestamp,
    /// When it first answered.
    pub ready: Option<Timestamp>,
    /// When its phase last changed.
    pub changed: Timestamp,
    /// Its containers. The first one's namespace is the network namespace of all.
    pub containers: Vec<Container>,
    /// Its interfaces. Clients and checks reach it by the address of the first.
    pub attachments: Vec<Attachment>,
}

impl Instance {
    /// The slot that it fills, among those of all owners.
    pub fn key(&self) -> SlotKey {
        SlotKey {
            owner: self.owner.clone(),
            slot: self.slot.clone(),
        }
    }

    /// The client that owns it, where a client does.
    pub const fn client(&self) -> Option<ClientId> {
        self.owner.client()
    }

    /// Its first attachment: what clients and checks reach it by. `None` for an instance without a network.
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

    /// An event that happens to it, with its owner, its host and its first attachment.
    pub fn event(&self, at: Timestamp, kind: EventKind) -> NewEvent {
        let service = match &self.owner {
            Owner::Service(name) => Some(name.clone()),
            Owner::Client(_) | Owner::Pool(_) | Owner::Operator(_) => None,
        };
        NewEvent {
            link: self.attachment().map(|attachment| attachment.network.clone()),
            client: self.client(),
            instance: Some(self.id),
            host: self.host.clone(),
            service,
            leased: self.address().map(Into::into),
            ..NewEvent::new(at, kind)
        }
    }

    /// The plugin that provisions its first container.
    pub fn engine(&self) -> &str {
        self.containers.first().map_or("", |container| &container.engine)
    }

    /// The engine's own name for its first container.
    pub fn reference(&self) -> Option<&str> {
        self.containers.first()?.reference.as_deref()
    }
}
