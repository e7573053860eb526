//! How many ports a bridge has left.

use crate::link::list_links;
use crate::{Network, NetworkError};

/// Ports that the kernel gives a bridge (`BR_MAX_PORTS`, of which it never gives the first).
const MOST: usize = 1023;

impl Network {
    /// How many more ports the bridge takes.
    ///
    /// # Errors
    ///
    /// [`BridgeMissing`](NetworkError::BridgeMissing) when there is no such bridge,
    /// [`NotABridge`](NetworkError::NotABridge) when the name belongs to something else.
    pub async fn free_ports(&self, bridge: &str) -> Result<usize, NetworkError> {
        let missing = || NetworkError::BridgeMissing { bridge: bridge.into() };
        let index = self.find_bridge(bridge).await?.ok_or_else(missing)?.index;
        let links = list_links(&self.netlink).await?;
        let taken = links.iter().filter(|link| link.controller == Some(index)).count();
        Ok(MOST.saturating_sub(taken))
    }
}
