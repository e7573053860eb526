//! Removing attachments.
//!
//! The kernel waits some 20 ms for its readers each time links go, whether one goes or a thousand.
//! Links that are to go together are put into a link group of their own and removed as one.
//! An instance that is removed first takes its attachment with its namespace, at no cost to anybody.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use nix::errno::Errno;
use rtnetlink::LinkUnspec;

use crate::link::{LAST_GROUP, LINK_GROUP, Link, find_link, list_links, remove_link};
use crate::request::answer;
use crate::{Network, NetworkError};

impl Network {
    /// Removes an attachment; one that is gone already is a success.
    ///
    /// # Errors
    ///
    /// [`InterfaceTaken`](NetworkError::InterfaceTaken) if the interface does not carry a mark that begins with
    /// `alias_prefix`: it is left alone.
    pub async fn remove_attachment(&self, host_interface: &str, alias_prefix: &str) -> Result<(), NetworkError> {
        match find_link(&self.netlink, host_interface).await? {
            None => self.release_neighbor(host_interface).await,
            Some(host) => {
                check_removable(&host, alias_prefix)?;
                remove_link(&self.netlink, host.index, &host.name).await?;
                self.release_neighbor(host_interface).await
            }
        }
    }

    /// Removes many attachments in little more than the time of one; those gone already are a success.
    ///
    /// # Errors
    ///
    /// The first one met, after all others are removed.
    pub async fn remove_attachments(
        &self,
        host_interfaces: &[impl AsRef<str>],
        alias_prefix: &str,
    ) -> Result<(), NetworkError> {
        let links = list_links(&self.netlink).await?;
        let by_name: HashMap<&str, &Link> = links.iter().map(|link| (link.name.as_str(), link)).collect();
        let there = host_interfaces
            .iter()
            .filter_map(|name| by_name.get(name.as_ref()).copied());
        let (ours, refused): (Vec<_>, Vec<_>) = there
            .map(|host| check_removable(host, alias_prefix).map(|()| host))
            .partition(Result::is_ok);
        let ours: Vec<&Link> = ours.into_iter().flatten().collect();
        let removed = match ours.as_slice() {
            [] => Ok(()),
            [host] => remove_link(&self.netlink, host.index, &host.name).await,
            many => self.remove_together(many).await,
        };
        let released = self.sweep_neighbors().await;
        refused
            .into_iter()
            .find_map(Result::err)
            .map_or(removed.and(released), Err)
    }

    /// Puts links into a group of their own and removes that.
    async fn remove_together(&self, hosts: &[&Link]) -> Result<(), NetworkError> {
        let group = self.next_group();
        let mut failed = None;
        for host in hosts {
            let change = LinkUnspec::new_with_index(host.index).link_group(group).build();
            match answer(self.netlink.link().change(change).execute()).await {
                Err(failure) if !failure.is(Errno::ENODEV) => {
                    failed = Some(failure.doing(format!("marking interface {} for removal", host.name)));
                }
                _ => {}
            }
        }
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::Group(group));
        match answer(self.netlink.link().del_with_message(message).execute()).await {
            // All of them went by themselves.
            Err(failure) if !failure.is(Errno::ENODEV) => {
                Err(failure.doing(format!("removing {} interfaces", hosts.len())))
            }
            _ => failed.map_or(Ok(()), Err),
        }
    }

    /// A link group for one removal, not that of another one under way.
    fn next_group(&self) -> u32 {
        let number = self.removals.fetch_add(1, Ordering::Relaxed);
        LINK_GROUP + 1 + number % (LAST_GROUP - LINK_GROUP)
    }
}

/// Refuses what is not ours: it needs our mark, or none at all if we were interrupted in making it.
fn check_removable(host: &Link, alias_prefix: &str) -> Result<(), NetworkError> {
    let marked = !host.alias.is_empty() && host.alias.starts_with(alias_prefix);
    let unfinished = host.alias.is_empty() && host.is_ours();
    if host.is_kind("veth") && (marked || unfinished) {
        return Ok(());
    }
    Err(NetworkError::InterfaceTaken {
        interface: host.name.clone(),
        alias: host.alias.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn veth(alias: &str, group: u32) -> Link {
        Link {
            kind: Some("veth".into()),
            alias: alias.into(),
            group,
            ..Link::default()
        }
    }

    #[test]
    fn ours_may_go() {
        check_removable(&veth("ours:1", LINK_GROUP), "ours:").unwrap();
        check_removable(&veth("", LINK_GROUP), "ours:").unwrap();
        check_removable(&veth("", LAST_GROUP), "ours:").unwrap();
    }

    #[test]
    fn others_stay() {
        let bridge = Link {
            kind: Some("bridge".into()),
            ..veth("ours:1", LINK_GROUP)
        };
        for stranger in [
            veth("theirs:1", LINK_GROUP),
            veth("", 0),
            veth("", LAST_GROUP + 1),
            bridge,
        ] {
            assert!(check_removable(&stranger, "ours:").is_err(), "{stranger:?}");
        }
    }
}
