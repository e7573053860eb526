//! Instances.

use std::net::Ipv6Addr;

use orchestrator_model::{ClientId, Duid, InstanceId, LinkLayerAddress, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::word::words;
use crate::{ContainerSpec, scalar};

words! {
    /// How far an instance has come.
    pub enum Phase {
        /// It is wanted, and nothing is known to run: not begun, or waiting for another try. `reason` says for what.
        Pending = "pending",
        /// It runs or is about to; it does not answer yet.
        Starting = "starting",
        /// It runs, is wired, and answers.
        Ready = "ready",
        /// Its client's lease ended; it goes on running until its grace ends.
        Ending = "ending",
        /// It is being removed.
        Removing = "removing",
        /// It is gone, and is shown as history.
        Removed = "removed",
    }
}

/// An instance: what runs, or is to run, for one client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Instance {
    /// The instance's id, which everything carries that is made for it.
    #[schemars(with = "scalar::Id")]
    pub id: InstanceId,
    /// The client that it is for.
    #[schemars(with = "scalar::Id")]
    pub client: ClientId,
    /// The link that it is on.
    pub link: String,
    /// The name of the template that it was made from.
    pub template: String,
    /// The plugin whose engine runs it.
    pub plugin: String,
    /// What it is, as the template said when it was made.
    pub spec: ContainerSpec,
    /// Its address on the link.
    #[schemars(with = "scalar::Ipv6Address")]
    pub address: Ipv6Addr,
    /// How far it has come.
    pub phase: Phase,
    /// Why it is in this phase, where that needs saying: what failed, on what, and what to do.
    pub reason: Option<String>,
    /// Tries since it last was ready.
    pub attempts: u32,
    /// When it is tried again, or when its grace ends.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub due: Option<Timestamp>,
    /// The engine's own name for it: the id of a container.
    pub reference: Option<String>,
    /// When it was recorded.
    #[schemars(with = "scalar::Timestamp")]
    pub created: Timestamp,
    /// When it first answered.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub ready: Option<Timestamp>,
    /// When its phase last changed.
    #[schemars(with = "scalar::Timestamp")]
    pub changed: Timestamp,
}

/// An instance, and the client that it is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceView {
    /// The instance.
    #[serde(flatten)]
    pub instance: Instance,
    /// Its client's DUID.
    #[schemars(with = "scalar::Duid")]
    pub duid: Duid,
    /// Its client's host name.
    pub hostname: Option<String>,
    /// Its client's link-layer address.
    #[schemars(with = "Option<scalar::LinkLayerAddress>")]
    pub link_layer: Option<LinkLayerAddress>,
}
