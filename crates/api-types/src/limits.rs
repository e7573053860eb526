//! Limits, what is used of them, who waits because of them, and pauses.

use orchestrator_model::{ClientId, LinkLayerAddress, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Owner, scalar};

/// What is used of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Used {
    /// What is used.
    pub used: u64,
    /// The limit; `null` for no limit.
    pub limit: Option<u64>,
}

/// What a host has promised to its live instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HostUse {
    /// The name of the host.
    pub host: String,
    /// Live instances.
    pub instances: Used,
    /// Bytes of memory.
    pub memory: Used,
    /// Thousandths of a processor.
    pub millicpus: Used,
    /// Processes and threads.
    pub pids: Used,
    /// Bytes of disk that containers may write, besides their volumes.
    pub disk: Used,
}

/// What is used of the limits of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkUse {
    /// The name of the link.
    pub link: String,
    /// Live instances.
    pub instances: Used,
    /// New instances in the last minute.
    pub creations: Used,
}

/// What is used of the limits of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateUse {
    /// The name of the template.
    pub template: String,
    /// Live instances.
    pub instances: Used,
}

/// What is promised, of what, and what is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// The hosts, by name.
    pub hosts: Vec<HostUse>,
    /// The links, by name.
    pub links: Vec<LinkUse>,
    /// The templates in force, by name.
    pub templates: Vec<TemplateUse>,
    /// Instances that wait for a place, and how many may. `GET /v1/queue` lists them.
    pub waiting: Used,
    /// What is paused.
    pub paused: Vec<Pause>,
}

/// An instance that waits for a place, because a limit is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waiting {
    /// For whom it is to be made.
    pub owner: Owner,
    /// The client that it is for; `null` if the owner is none.
    #[schemars(with = "Option<scalar::Id>")]
    pub client: Option<ClientId>,
    /// The slot of the owner that it is to fill.
    pub slot: String,
    /// The name of its template.
    pub template: String,
    /// The link of its client.
    pub link: String,
    /// The bridge port that its client is behind, if that is known.
    pub port: Option<String>,
    /// The link-layer address of its client, if that is known.
    #[schemars(with = "Option<scalar::LinkLayerAddress>")]
    pub link_layer: Option<LinkLayerAddress>,
    /// Since when its client holds a lease.
    #[schemars(with = "scalar::Timestamp")]
    pub since: Timestamp,
    /// Its place in the queue, from 1: ports take turns, and the link-layer addresses behind each.
    pub place: u64,
    /// The expected wait, in milliseconds; `null` while nobody can know.
    pub expected_ms: Option<u64>,
    /// What it waits for, as a stable word: `host-instances`, `memory`, `cpus`, `pids`, `link-instances`,
    /// `template-instances`, `client-instances`, `port-instances`, `creations`, `paused`, `turn` or `starting`.
    pub code: String,
    /// What it waits for, in words.
    pub reason: String,
}

/// Selects what waits.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueueQuery {
    /// Only what waits on this link.
    pub link: Option<String>,
    /// The cursor to continue at: `next` of the page before.
    pub after: Option<String>,
    /// The largest number of items on the page.
    #[schemars(range(min = 1, max = 5000))]
    pub limit: Option<u32>,
}

/// What is to be paused or resumed: a link, a template, or, with neither, everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseScope {
    /// The name of the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The name of the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// A pause: nothing new is made for its link or template, or for anybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pause {
    /// The name of the link that is paused.
    pub link: Option<String>,
    /// The name of the template that is paused.
    pub template: Option<String>,
    /// When it began.
    #[schemars(with = "scalar::Timestamp")]
    pub since: Timestamp,
    /// Who asked for it.
    pub by: Option<String>,
}
