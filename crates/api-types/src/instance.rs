//! Instances.

use std::net::Ipv6Addr;

use orchestrator_model::{ClientId, Duid, InstanceId, LinkLayerAddress, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::word::words;
use crate::{Attachment, Container, InstanceSpec, InstanceTimes, Owner, scalar};

words! {
    /// The phase of an instance.
    pub enum Phase {
        /// The instance is recorded, but is not known to run: it was not started yet, or waits for the next try.
        /// `reason` says why.
        Pending = "pending",
        /// The instance runs or is being started. It does not answer yet.
        Starting = "starting",
        /// The instance runs, is wired, and answers.
        Ready = "ready",
        /// The client's lease ended. The instance runs until its grace period ends.
        Ending = "ending",
        /// The instance is stopped, and kept with its files for a while. It is started again if its client comes back.
        Stopped = "stopped",
        /// The instance is being removed.
        Removing = "removing",
        /// The instance is gone, and is shown as history.
        Removed = "removed",
    }
}

/// An instance: the containers that fill one slot of an owner, such as a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Instance {
    /// The instance's id. Everything that is made for the instance carries it.
    #[schemars(with = "scalar::Id")]
    pub id: InstanceId,
    /// The owner of the instance.
    pub owner: Owner,
    /// The owner's slot that it fills: the name of a client's template, or the number of a service's replica.
    pub slot: String,
    /// The client that it is for; `null` when its owner is not a client.
    #[schemars(with = "Option<scalar::Id>")]
    pub client: Option<ClientId>,
    /// The host that it runs on; `null` until one is chosen.
    pub host: Option<String>,
    /// The link of its first attachment; `null` when that is on no link.
    pub link: Option<String>,
    /// The name of the template that it was made from.
    pub template: String,
    /// The version of the template at that time.
    pub version: u64,
    /// The plugin whose engine runs its first container.
    pub plugin: String,
    /// Its specification, as the template had it when the instance was made.
    pub spec: InstanceSpec,
    /// The address of its first attachment; `null` while that is pending.
    #[schemars(with = "Option<scalar::Ipv6Address>")]
    pub address: Option<Ipv6Addr>,
    /// The phase of the instance.
    pub phase: Phase,
    /// The reason for the phase, if there is one: what failed, on what, and what to do.
    pub reason: Option<String>,
    /// The number of tries since it was last ready.
    pub attempts: u32,
    /// When the next try begins, or when the grace period ends; for a stopped instance, when it is tried to be stopped
    /// again.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub due: Option<Timestamp>,
    /// The engine's name for its first container.
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
    /// Its containers. All of them use the network namespace of the first.
    pub containers: Vec<Container>,
    /// Its interfaces. Its client reaches it through the first.
    pub attachments: Vec<Attachment>,
    /// Its times besides its client's lease.
    #[serde(default)]
    pub times: InstanceTimes,
}

/// An instance, and the client that it is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceView {
    /// The instance.
    #[serde(flatten)]
    pub instance: Instance,
    /// Its client's DUID; `null` when its owner is not a client.
    #[schemars(with = "Option<scalar::Duid>")]
    pub duid: Option<Duid>,
    /// Its client's host name.
    pub hostname: Option<String>,
    /// Its client's link-layer address.
    #[schemars(with = "Option<scalar::LinkLayerAddress>")]
    pub link_layer: Option<LinkLayerAddress>,
    /// Whether another version of its template is in force now. `null` when the template does not exist any more, and
    /// for an instance that is gone.
    #[serde(default)]
    pub outdated: Option<bool>,
    /// The seconds from now until the deadline in `times`; `null` when there is none.
    #[serde(default)]
    pub time_left: Option<u64>,
}
