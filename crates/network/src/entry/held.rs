//! Which neighbour entries there are, and for which attachments.

use std::collections::HashMap;

use super::neighbor::{self, Neighbor};
use super::tail;
use crate::bridge::find_bridge;
use crate::join::is_end;
use crate::link::{Link, find_link, find_link_by_index, list_links};
use crate::{AttachmentPlan, Network, NetworkError};

/// The neighbour entries that were set, by the host ends of their attachments. Clones of a [`Network`] share it.
///
/// The lock is held while an entry is set or removed: an attachment that is made anew under the name of one that goes keeps
/// its entry.
#[derive(Debug, Default)]
pub(crate) struct Held {
    of: HashMap<String, Entry>,
    /// The link-layer address that each bridge had when its entries were set. When it gets another one, as when a port with
    /// a lower one joins it, the kernel forgets all neighbour entries on it, also permanent ones.
    bridges: HashMap<u32, Option<[u8; 6]>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    at: Neighbor,
    mac: [u8; 6],
}

impl Held {
    /// Forgets the entry of an attachment. Returns where it is, unless another attachment has it too.
    fn forget(&mut self, host_interface: &str) -> Option<Neighbor> {
        let Entry { at, .. } = self.of.remove(host_interface)?;
        (!self.of.values().any(|other| other.at == at)).then_some(at)
    }
}

impl Network {
    /// Sets the neighbour entry of an attachment that is wired, in place of another one of it.
    pub(crate) async fn hold_neighbor(&self, plan: &AttachmentPlan) -> Result<(), NetworkError> {
        let mut held = self.held.lock().await;
        let bridge = find_bridge(&self.netlink, &plan.bridge).await?;
        if let Some(bridge) = &bridge {
            self.follow(&mut held, bridge.index, bridge.mac).await?;
        }
        let wanted = plan.address.zip(bridge).map(|(address, bridge)| Entry {
            at: Neighbor {
                bridge: bridge.index,
                address: address.addr(),
            },
            mac: plan.mac,
        });
        let before = held.of.get(&plan.host_interface).copied();
        if before.map(|entry| entry.at) != wanted.map(|entry| entry.at)
            && let Some(at) = held.forget(&plan.host_interface)
        {
            neighbor::remove(&self.netlink, at).await?;
        }
        if let Some(entry) = wanted
            && neighbor::set(&self.netlink, entry.at, entry.mac).await?
        {
            held.of.insert(plan.host_interface.clone(), entry);
        }
        Ok(())
    }

    /// Whether the neighbour entry of an attachment is as it was set, if one was. Those that went because their bridge got
    /// another link-layer address are set again first: nothing about an instance has changed then.
    pub(crate) async fn has_neighbor(&self, host_interface: &str) -> Result<bool, NetworkError> {
        let entry = self.held.lock().await.of.get(host_interface).copied();
        let Some(Entry { at, mac }) = entry else {
            return Ok(true);
        };
        if neighbor::is_set(&self.netlink, at, mac).await? {
            return Ok(true);
        }
        let Some(bridge) = find_link_by_index(&self.netlink, at.bridge).await? else {
            return Ok(false);
        };
        self.restore_neighbors(bridge.index, bridge.mac).await?;
        neighbor::is_set(&self.netlink, at, mac).await
    }

    /// Sets all neighbour entries on a bridge again, if it had another link-layer address when they were set.
    pub(crate) async fn restore_neighbors(&self, bridge: u32, mac: Option<[u8; 6]>) -> Result<(), NetworkError> {
        let mut held = self.held.lock().await;
        self.follow(&mut held, bridge, mac).await
    }

    /// The same for one who has the lock.
    async fn follow(&self, held: &mut Held, bridge: u32, mac: Option<[u8; 6]>) -> Result<(), NetworkError> {
        let before = held.bridges.insert(bridge, mac);
        if before.is_none_or(|before| before == mac) {
            return Ok(());
        }
        for Entry { at, mac } in held.of.values().filter(|entry| entry.at.bridge == bridge) {
            neighbor::set(&self.netlink, *at, *mac).await?;
        }
        Ok(())
    }

    /// Removes the neighbour entry of an attachment that is gone.
    pub(crate) async fn release_neighbor(&self, host_interface: &str) -> Result<(), NetworkError> {
        let mut held = self.held.lock().await;
        if !held.of.contains_key(host_interface) || find_link(&self.netlink, host_interface).await?.is_some() {
            return Ok(());
        }
        match held.forget(host_interface) {
            Some(at) => neighbor::remove(&self.netlink, at).await,
            None => Ok(()),
        }
    }

    /// Compares all our neighbour entries with the attachments that there are: removes those of attachments that are gone,
    /// and takes note of the others.
    pub(crate) async fn sweep_neighbors(&self) -> Result<(), NetworkError> {
        let mut held = self.held.lock().await;
        let entries = neighbor::list(&self.netlink).await?;
        if entries.is_empty() {
            held.of.clear();
            return Ok(());
        }
        // Listed after the entries: an attachment is there before its entry.
        let links = list_links(&self.netlink).await?;
        let hosts = host_ends(&links);
        held.of.clear();
        let bridges = links.iter().filter(|link| link.is_kind("bridge"));
        held.bridges = bridges.map(|link| (link.index, link.mac)).collect();
        for (at, mac) in entries {
            match hosts.get(&tail(mac)) {
                Some(host_interface) => drop(held.of.insert((*host_interface).to_owned(), Entry { at, mac })),
                None => neighbor::remove(&self.netlink, at).await?,
            }
        }
        Ok(())
    }
}

/// The host ends of attachments, by what their link-layer addresses have in common with those of the inside ends.
fn host_ends(links: &[Link]) -> HashMap<[u8; 5], &str> {
    let ends = links
        .iter()
        .filter(|link| link.is_kind("veth") && link.is_ours() && !is_end(link));
    ends.filter_map(|link| Some((tail(link.mac?), link.name.as_str())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(address: &str) -> Entry {
        let address = address.parse().unwrap();
        Entry {
            at: Neighbor { bridge: 2, address },
            mac: [2, 0, 0, 0, 0, 1],
        }
    }

    #[test]
    fn an_entry_that_two_attachments_have_stays_until_both_are_gone() {
        let mut held = Held::default();
        for (name, address) in [("o-1", "fd39::1"), ("o-2", "fd39::1"), ("o-3", "fd39::3")] {
            held.of.insert(name.to_owned(), entry(address));
        }
        assert_eq!(held.forget("o-1"), None);
        assert_eq!(held.forget("o-1"), None);
        assert_eq!(held.forget("o-2"), Some(entry("fd39::1").at));
        assert_eq!(held.forget("o-3"), Some(entry("fd39::3").at));
    }
}
