//! One template provisioned for one client.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::lease::words;
use super::{ClientId, ContainerSpec, InstanceId, Timestamp};

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
    /// Whom it is for.
    pub client: ClientId,
    /// The bridge it is attached to.
    pub link: String,
    /// Name of the template it was made from.
    pub template: String,
    /// The plugin that provisions it.
    pub plugin: String,
    /// What it is to be, as the template said when it was made.
    pub spec: ContainerSpec,
    /// Its address on the link.
    pub address: Ipv6Addr,
    /// Where it is on its way.
    pub phase: Phase,
    /// Why it is there, where that needs saying: what failed, on what, what to do.
    pub reason: Option<String>,
    /// Tries since it last was ready.
    pub attempts: u32,
    /// When it is tried again, or when its grace ends.
    pub due: Option<Timestamp>,
    /// The engine's own name for it: a container id.
    pub reference: Option<String>,
    /// When it was recorded.
    pub created: Timestamp,
    /// When it first answered.
    pub ready: Option<Timestamp>,
    /// When its phase last changed.
    pub changed: Timestamp,
}
