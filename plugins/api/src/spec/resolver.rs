//! Name servers of a container.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The name resolution of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolver {
    /// Name servers, in the order in which they are asked.
    pub servers: Vec<IpAddr>,
    /// Domains that are appended to short names.
    #[serde(default)]
    pub search: Vec<String>,
}
