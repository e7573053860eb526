//! Instances that the database does not know.

use std::net::Ipv6Addr;

use orchestrator_model::{Duid, InstanceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;

/// An instance that carries the daemon's mark and that the database has never known: its database was lost, or an older
/// copy of it was restored. It is kept until its client comes back or somebody removes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Orphan {
    /// The instance's id, which everything carries that was made for it.
    #[schemars(with = "scalar::Id")]
    pub id: InstanceId,
    /// The plugin whose engine has it.
    pub plugin: String,
    /// The engine's own name for it.
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
    /// The slot of its client that it was made for.
    #[serde(default)]
    pub slot: Option<String>,
}
