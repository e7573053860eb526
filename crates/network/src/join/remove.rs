//! Removes joined bridges that nobody needs.

use super::mark::{JoinMark, bridge_of_end, ends_of};
use super::seen::{Joined, is_end};
use crate::link::{Link, list_links, remove_link};
use crate::{Network, NetworkError};

impl Network {
    /// Removes the joined bridges with this prefix that have no instances, and what is left of others. Returns their
    /// names.
    ///
    /// # Errors
    ///
    /// The first one met, after all others are removed.
    pub async fn remove_joined(&self, prefix: &str) -> Result<Vec<String>, NetworkError> {
        let _making = match &self.joins {
            Some(joins) => Some(joins.making.lock().await),
            None => None,
        };
        let links = list_links(&self.netlink).await?;
        let (mut gone, mut failed) = (Vec::new(), None);
        for name in empty(&links, prefix) {
            let Some(bridge) = links.iter().find(|link| link.name == name) else {
                continue;
            };
            if !self.close(bridge.index) {
                continue;
            }
            match self.remove_with_ends(&links, bridge).await {
                Ok(()) => gone.push(name),
                Err(fault) => drop(failed.get_or_insert(fault)),
            }
        }
        for end in stray_ends(&links, prefix) {
            if let Err(fault) = remove_link(&self.netlink, end.index, &end.name).await {
                failed.get_or_insert(fault);
            }
        }
        failed.map_or(Ok(gone), Err)
    }

    /// Gives no more ports of a bridge away. Whether nobody is making an attachment on it.
    fn close(&self, index: u32) -> bool {
        let Some(joins) = &self.joins else { return true };
        let mut rooms = joins.rooms();
        if rooms.is_wiring(index) {
            return false;
        }
        rooms.close(index);
        true
    }

    async fn remove_with_ends(&self, links: &[Link], bridge: &Link) -> Result<(), NetworkError> {
        // The other end goes with it.
        let [near, _far] = ends_of(&bridge.name);
        if let Some(near) = links.iter().find(|link| link.name == near && link.is_ours()) {
            remove_link(&self.netlink, near.index, &near.name).await?;
        }
        remove_link(&self.netlink, bridge.index, &bridge.name).await
    }
}

/// The joined bridges without instances, also those that were left unfinished.
fn empty(links: &[Link], prefix: &str) -> Vec<String> {
    let without = |joined: &Joined| {
        let [near, far] = ends_of(&joined.name);
        let of_instances =
            |link: &&Link| link.controller == Some(joined.index) && link.name != far && link.name != near;
        joined.mark.prefix == prefix && !links.iter().any(|link| of_instances(&link))
    };
    let finished = Joined::among(links)
        .into_iter()
        .filter(without)
        .map(|joined| joined.name);
    let unfinished = links.iter().filter(|link| {
        let ours = link.is_kind("bridge") && link.is_ours() && link.alias.is_empty();
        ours && JoinMark::number(prefix, &link.name).is_some()
    });
    finished.chain(unfinished.map(|link| link.name.clone())).collect()
}

/// The ends of joins whose joined bridge is gone.
fn stray_ends<'l>(links: &'l [Link], prefix: &str) -> Vec<&'l Link> {
    let is_there = |name: &str| links.iter().any(|link| link.name == name && link.is_kind("bridge"));
    let is_stray = |link: &&Link| {
        let of_prefix = JoinMark::parse(&link.alias).is_some_and(|mark| mark.prefix == prefix);
        is_end(link) && of_prefix && bridge_of_end(&link.name).is_some_and(|name| !is_there(name))
    };
    let mut stray: Vec<&Link> = links.iter().filter(is_stray).collect();
    // Removing one end of a pair removes the other one.
    stray.dedup_by_key(|end| end.peer.map_or(end.index, |peer| end.index.min(peer)));
    stray
}
