//! Rows as people see them, with details of their client.

use serde::{Deserialize, Serialize};

use super::{Duid, Instance, Lease, LinkLayerAddress};

/// An instance, with details of its client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceView {
    /// The instance.
    #[serde(flatten)]
    pub instance: Instance,
    /// The DUID of the client that owns it; `None` if the owner is not a client.
    pub duid: Option<Duid>,
    /// The client's host name.
    pub hostname: Option<String>,
    /// The client's link-layer address.
    pub link_layer: Option<LinkLayerAddress>,
}

/// A lease and its client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseView {
    /// The lease, with its client's DUID.
    #[serde(flatten)]
    pub lease: Lease,
    /// Its client's host name.
    pub hostname: Option<String>,
    /// Its client's link-layer address.
    pub link_layer: Option<LinkLayerAddress>,
}
