//! How many ports a bridge has left, and what an interface is called.

use crate::join::Joined;
use crate::link::{find_link_by_index, list_links};
use crate::{Network, NetworkError};

/// Ports that the kernel gives a bridge (`BR_MAX_PORTS`, of which it never gives the first).
const MOST: usize = 1023;

impl Network {
    /// How many more ports the bridge takes, and those that are joined with it.
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
        let joined = Joined::among(&links).into_iter();
        let of_joined =
            joined.filter(|joined| self.joins.is_some() && joined.connected && joined.mark.bridge == bridge);
        let of_joined: usize = of_joined.map(|joined| MOST.saturating_sub(joined.ports)).sum();
        Ok(MOST.saturating_sub(taken) + of_joined)
    }

    /// The name of the interface with this number; `None` when there is none.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](NetworkError::TimedOut) if the kernel does not answer.
    pub async fn interface_name(&self, index: u32) -> Result<Option<String>, NetworkError> {
        Ok(find_link_by_index(&self.netlink, index).await?.map(|link| link.name))
    }
}
