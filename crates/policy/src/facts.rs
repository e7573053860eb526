//! What is recorded of one owner.

use orchestrator_model::{Instance, Lease, LinkLayerAddress, Owner};

/// What is recorded of one owner of instances: a client with its leases, or a service, a pool or an operator.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnerFacts {
    /// The owner.
    pub owner: Owner,
    /// The link-layer address that a client claims, used for leases that do not record where they were asked for.
    pub link_layer: Option<LinkLayerAddress>,
    /// Its active leases; none unless it is a client.
    pub leases: Vec<Lease>,
    /// Its instances that are not removed.
    pub instances: Vec<Instance>,
}

impl OwnerFacts {
    /// An owner of whom nothing is recorded.
    pub fn nothing(owner: Owner) -> Self {
        Self {
            owner,
            link_layer: None,
            leases: Vec::new(),
            instances: Vec::new(),
        }
    }
}
