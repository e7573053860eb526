//! Instances.

use std::net::Ipv6Addr;

use orchestrator_model::{ClientId, Duid, InstanceId, LinkLayerAddress, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::word::words;
use crate::{Attachment, Container, InstanceSpec, Owner, scalar};

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

/// An instance: what fills, or is to fill, one slot of an owner, such as a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Instance {
    /// The instance's id, which everything carries that is made for it.
    #[schemars(with = "scalar::Id")]
    pub id: InstanceId,
    /// For whom it exists.
    pub owner: Owner,
    /// Which of its owner's slots it fills: the name of a client's template, the number of a service's replica.
    pub slot: String,
    /// The client that it is for; `null` where its owner is no client.
    #[schemars(with = "Option<scalar::Id>")]
    pub client: Option<ClientId>,
    /// The host that it runs on; `null` until one is chosen.
    pub host: Option<String>,
    /// The link that its first attachment is on; `null` where it has none.
    pub link: Option<String>,
    /// The name of the template that it was made from.
    pub template: String,
    /// The version that the template had then.
    pub version: u64,
    /// The plugin whose engine runs its first container.
    pub plugin: String,
    /// What it is, as the template said when it was made.
    pub spec: InstanceSpec,
    /// The address of its first attachment; `null` while that is pending.
    #[schemars(with = "Option<scalar::Ipv6Address>")]
    pub address: Option<Ipv6Addr>,
    /// How far it has come.
    pub phase: Phase,
    /// Why it is in this phase, where that needs saying: what failed, on what, and what to do.
    pub reason: Option<String>,
    /// Tries since it last was ready.
    pub attempts: u32,
    /// When it is tried again, or when its grace ends.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub due: Option<Timestamp>,
    /// The engine's own name for its first container.
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
    /// Its containers. The first one's network namespace is that of all.
    pub containers: Vec<Container>,
    /// Its interfaces. It is reached by the first.
    pub attachments: Vec<Attachment>,
}

/// An instance, and the client that it is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceView {
    /// The instance.
    #[serde(flatten)]
    pub instance: Instance,
    /// Its client's DUID; `null` where its owner is no client.
    #[schemars(with = "Option<scalar::Duid>")]
    pub duid: Option<Duid>,
    /// Its client's host name.
    pub hostname: Option<String>,
    /// Its client's link-layer address.
    #[schemars(with = "Option<scalar::LinkLayerAddress>")]
    pub link_layer: Option<LinkLayerAddress>,
    /// Whether another version of its template is in force now. `null` where the template is declared no more, and for an
    /// instance that is gone.
    #[serde(default)]
    pub outdated: Option<bool>,
}
