//! Reconfigures: how a client is made to ask again before it would by itself.

use std::net::Ipv6Addr;

use orchestrator_model::ClientId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;

/// The message that a client is made to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    /// A Renew: for its leases, and for the configuration alongside them.
    #[default]
    Renew,
    /// A Rebind: the same, from any server.
    Rebind,
    /// An Information-request: for the configuration alone.
    InformationRequest,
}

/// A Reconfigure that has begun. It is sent until the client asks, eight times within some eight minutes at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReconfigureView {
    /// The client.
    #[schemars(with = "scalar::Id")]
    pub client: ClientId,
    /// The message that it is to send.
    pub message: Asked,
    /// Its link-local address.
    #[schemars(with = "scalar::Ipv6Address")]
    pub address: Ipv6Addr,
    /// Whether the Reconfigure goes through relays.
    pub relayed: bool,
}
