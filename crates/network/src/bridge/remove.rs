//! Removing a bridge that we made, and setting what only such a bridge is given.

use rtnetlink::LinkUnspec;

use super::Bridge;
use crate::join::is_end;
use crate::link::{list_links, remove_link};
use crate::{Network, NetworkError};

/// A bridge that bears a mark of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeBridge {
    /// Its name.
    pub name: String,
    /// How many ports it has, without those to bridges that are joined with it.
    pub ports: usize,
}

impl Network {
    /// The bridges that we made with this mark.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](NetworkError::TimedOut) if the kernel does not answer.
    pub async fn made_bridges(&self, mark: &str) -> Result<Vec<MadeBridge>, NetworkError> {
        let links = list_links(&self.netlink).await?;
        let ports = |index| {
            let on_it = links.iter().filter(|link| link.controller == Some(index));
            on_it.filter(|link| !is_end(link)).count()
        };
        let made = links
            .iter()
            .filter(|link| link.is_kind("bridge") && link.is_ours() && link.alias == mark);
        Ok(made
            .map(|link| MadeBridge {
                name: link.name.clone(),
                ports: ports(link.index),
            })
            .collect())
    }

    /// Removes a bridge that we made with this mark and that has no ports. Whether it is gone; one that was gone already
    /// is a success.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](NetworkError::TimedOut) if the kernel does not answer.
    pub async fn remove_bridge(&self, name: &str, mark: &str) -> Result<bool, NetworkError> {
        let links = list_links(&self.netlink).await?;
        let Some(bridge) = links.iter().find(|link| link.name == name) else {
            return Ok(true);
        };
        let is_free = links.iter().all(|link| link.controller != Some(bridge.index));
        let is_made = bridge.is_kind("bridge") && bridge.is_ours() && bridge.alias == mark;
        if !is_free || !is_made {
            return Ok(false);
        }
        remove_link(&self.netlink, bridge.index, name).await.map(|()| true)
    }

    /// Removes a bridge that we made with this mark, also if it has ports: those stay, and are on no bridge. One that is
    /// gone already, or bears another mark, is a success.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](NetworkError::TimedOut) if the kernel does not answer.
    pub async fn remove_used_bridge(&self, name: &str, mark: &str) -> Result<(), NetworkError> {
        let links = list_links(&self.netlink).await?;
        let is_made = |bridge: &&crate::link::Link| {
            bridge.name == name && bridge.is_kind("bridge") && bridge.is_ours() && bridge.alias == mark
        };
        match links.iter().find(is_made) {
            Some(bridge) => remove_link(&self.netlink, bridge.index, name).await,
            None => Ok(()),
        }
    }

    /// Gives a bridge that we made this MTU. Of another bridge nothing is changed.
    ///
    /// # Errors
    ///
    /// When the kernel refuses it or does not answer.
    pub async fn ensure_bridge_mtu(&self, bridge: &Bridge, mtu: u32) -> Result<(), NetworkError> {
        if !bridge.ours || bridge.mtu == mtu {
            return Ok(());
        }
        let change = LinkUnspec::new_with_index(bridge.index).mtu(mtu);
        self.change_bridge(change, &bridge.name).await
    }
}
