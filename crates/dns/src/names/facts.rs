//! What names are made from, besides the endpoints of services.

use std::net::Ipv6Addr;

use orchestrator_model::{InstanceId, Timestamp};

use super::Label;

/// A client that holds addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientName {
    /// The name that it claims, if that can be one.
    pub claimed: Option<Label>,
    /// Since when it has claimed that name without interruption. Of several claimants, the earliest has the name.
    pub since: Timestamp,
    /// The addresses that it holds.
    pub addresses: Vec<Ipv6Addr>,
    /// Its ready instances.
    pub instances: Vec<InstanceName>,
}

/// A ready instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceName {
    /// Its id, which is its name.
    pub id: InstanceId,
    /// The name of its slot, if that can be part of a name. An instance of a client is found by it below its client.
    pub slot: Option<Label>,
    /// Its addresses. It is reached by the first; all of them lead to its name.
    pub addresses: Vec<Ipv6Addr>,
    /// What it is, each as `key=value`.
    pub about: Vec<String>,
}
