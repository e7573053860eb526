//! Instances that the database does not know.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use orchestrator_model::{Duid, InstanceId, VolumeId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;

/// An orphan: an instance that carries the daemon's mark but that the database does not know. Its database was lost, or
/// an older copy was restored. The daemon keeps it until its client comes back or somebody removes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Orphan {
    /// The instance's id. Everything that was made for the instance carries it.
    #[schemars(with = "scalar::Id")]
    pub id: InstanceId,
    /// The plugin whose engine runs it.
    pub plugin: String,
    /// The engine's name for it.
    pub reference: String,
    /// Whether it runs.
    pub running: bool,
    /// The link that it was made for.
    pub link: Option<String>,
    /// The DUID of the client that it was made for.
    #[schemars(with = "Option<scalar::Duid>")]
    pub duid: Option<Duid>,
    /// Its address on the link.
    #[schemars(with = "Option<scalar::Ipv6Address>")]
    pub address: Option<Ipv6Addr>,
    /// Its addresses on all networks, by the networks' names, as far as they are known.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, scalar::Ipv6Address>")]
    pub addresses: BTreeMap<String, Ipv6Addr>,
    /// The volumes that it was made with, by their names in the template, as far as they are known.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, scalar::Id>")]
    pub volumes: BTreeMap<String, VolumeId>,
    /// The slot of its client that it was made for.
    #[serde(default)]
    pub slot: Option<String>,
}
