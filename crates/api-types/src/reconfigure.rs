//! Reconfigures, which make a client send a message before its timers do.

use std::net::Ipv6Addr;

use orchestrator_model::ClientId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;

/// The message that a Reconfigure asks a client to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    /// A Renew, which asks for its leases and for the configuration.
    #[default]
    Renew,
    /// A Rebind, which asks for the same from any server.
    Rebind,
    /// An Information-request, which asks for the configuration alone.
    InformationRequest,
}

/// A Reconfigure that has begun. The daemon sends it until the client answers: at most eight times, within about eight
/// minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReconfigureView {
    /// The client.
    #[schemars(with = "scalar::Id")]
    pub client: ClientId,
    /// The message that the client is asked to send.
    pub message: Asked,
    /// Its link-local address.
    #[schemars(with = "scalar::Ipv6Address")]
    pub address: Ipv6Addr,
    /// Whether the Reconfigure goes through relays.
    pub relayed: bool,
}
