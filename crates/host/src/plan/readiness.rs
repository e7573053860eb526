//! How an instance answers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How an instance is known to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadinessPlan {
    /// The TCP port on the address of its first attachment that is to take a connection.
    pub port: u16,
    /// How long that may take.
    pub within: Duration,
    /// Whether the instance must also react to the connection, as it was seen to do before.
    pub reacting: bool,
}
