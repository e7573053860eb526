//! Orphans: instances that run but are not recorded.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use super::{Duid, InstanceId, Slot, VolumeId};

/// An orphan: an instance that carries the daemon's mark but that the database does not know. Its database was lost, or
/// an older copy was restored. The daemon keeps it until its client comes back or an operator removes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orphan {
    /// The instance's id. Everything that was made for the instance carries it.
    pub id: InstanceId,
    /// The plugin whose engine runs it.
    pub plugin: String,
    /// The engine's name for it.
    pub reference: String,
    /// Whether it runs.
    pub running: bool,
    /// The bridge of the link that it was made for.
    pub link: Option<String>,
    /// The DUID of the client that it was made for; `None` if only its mark is known.
    pub duid: Option<Duid>,
    /// The mark of that client, from which the daemon knows it again.
    #[serde(default)]
    pub mark: Option<String>,
    /// Its address on the link.
    pub address: Option<Ipv6Addr>,
    /// Its addresses on all networks, as far as they are known, by the networks' names.
    #[serde(default)]
    pub addresses: BTreeMap<String, Ipv6Addr>,
    /// The volumes that it was made with, as far as they are known, by their names in the template.
    #[serde(default)]
    pub volumes: BTreeMap<String, VolumeId>,
    /// The slot of its client that it was made for.
    #[serde(default)]
    pub slot: Option<Slot>,
}
