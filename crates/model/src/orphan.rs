//! Orphans: instances that run and are not recorded.

use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};

use super::{Duid, InstanceId, Slot};

/// An instance that carries our mark and that the database has never known: its database was lost, or an older copy of it
/// was restored. It is kept until its client comes back or an operator removes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orphan {
    /// Its name, which everything carries that was made for it.
    pub id: InstanceId,
    /// The plugin whose engine has it.
    pub plugin: String,
    /// The engine's own name for it.
    pub reference: String,
    /// Whether it runs.
    pub running: bool,
    /// The bridge it was made for.
    pub link: Option<String>,
    /// The client it was made for.
    pub duid: Option<Duid>,
    /// Its address on the link.
    pub address: Option<Ipv6Addr>,
    /// The slot of its client that it was made for.
    #[serde(default)]
    pub slot: Option<Slot>,
}
