//! Finding the attachments that there are.

use std::collections::HashMap;

use crate::join::{Joined, ends_of, is_end, mark_of};
use crate::link::{Link, find_link, find_link_by_index, list_links};
use crate::port::PortSettings;
use crate::{Network, NetworkError};

/// An attachment as it was found, seen from the daemon's namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentFound {
    /// Name of the host end.
    pub host_interface: String,
    /// Its alias: the mark that it was made with.
    pub alias: String,
    /// Its number.
    pub index: u32,
    /// Name of the bridge that it is a port of; for one on a joined bridge, the name of the bridge that it is joined with.
    /// `None` also while that join is broken.
    pub bridge: Option<String>,
    /// Name of the joined bridge that it is a port of.
    pub joined: Option<String>,
    /// Whether it is administratively up.
    pub up: bool,
    /// Whether it is isolated from other isolated ports of its bridge.
    pub isolated: bool,
    /// Whether its port has the further settings that belong to that.
    pub guarded: bool,
}

impl Network {
    /// All attachments whose mark begins with `alias_prefix`, from one dump of the kernel's interfaces.
    ///
    /// An attachment that was being made when the daemon was killed may have no mark yet. It is not listed; it goes
    /// away with its namespace, or the next [`ensure_attachment`](Self::ensure_attachment) completes it.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](NetworkError::TimedOut) if the kernel does not answer.
    pub async fn attachments(&self, alias_prefix: &str) -> Result<Vec<AttachmentFound>, NetworkError> {
        Ok(select(list_links(&self.netlink).await?, alias_prefix))
    }

    /// The attachment with this host end, when its mark begins with `alias_prefix`.
    ///
    /// It takes a few questions, however many links there are.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](NetworkError::TimedOut) if the kernel does not answer.
    pub async fn find_attachment(
        &self,
        host_interface: &str,
        alias_prefix: &str,
    ) -> Result<Option<AttachmentFound>, NetworkError> {
        let Some(host) = find_link(&self.netlink, host_interface).await? else {
            return Ok(None);
        };
        let bridge = match host.controller {
            Some(index) => find_link_by_index(&self.netlink, index).await?,
            None => None,
        };
        let mut links: Vec<Link> = [host].into_iter().chain(bridge).collect();
        if let Some((joined, mark)) = links.last().and_then(|last| Some((last.name.clone(), mark_of(last)?))) {
            let [near, far] = ends_of(&joined);
            for name in [near, far, mark.bridge] {
                links.extend(find_link(&self.netlink, &name).await?);
            }
        }
        Ok(select(links, alias_prefix).pop())
    }
}

/// Those links that are host ends with the wanted mark.
fn select(links: Vec<Link>, alias_prefix: &str) -> Vec<AttachmentFound> {
    let names: HashMap<u32, String> = links.iter().map(|link| (link.index, link.name.clone())).collect();
    let joined: HashMap<u32, Joined> = Joined::among(&links)
        .into_iter()
        .map(|joined| (joined.index, joined))
        .collect();
    let ours =
        |link: &Link| link.is_kind("veth") && link.is_ours() && link.alias.starts_with(alias_prefix) && !is_end(link);
    let marked = links.into_iter().filter(|link| ours(link) && !link.alias.is_empty());
    marked
        .map(|link| AttachmentFound {
            bridge: link.controller.and_then(|index| match joined.get(&index) {
                Some(joined) => joined.connected.then(|| joined.mark.bridge.clone()),
                None => names.get(&index).cloned(),
            }),
            joined: link
                .controller
                .and_then(|index| joined.get(&index))
                .map(|joined| joined.name.clone()),
            host_interface: link.name,
            alias: link.alias,
            index: link.index,
            up: link.up,
            isolated: link.port.isolated,
            guarded: link.port.are(PortSettings::of_instance(link.port.isolated)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::LINK_GROUP;

    fn link(index: u32, name: &str, kind: &str, alias: &str) -> Link {
        Link {
            index,
            name: name.into(),
            kind: Some(kind.into()),
            alias: alias.into(),
            group: LINK_GROUP,
            ..Link::default()
        }
    }

    #[test]
    fn only_host_ends_with_the_mark() {
        let found = select(
            vec![
                link(2, "br0", "bridge", "ours:br0"),
                Link {
                    controller: Some(2),
                    up: true,
                    port: PortSettings::of_instance(false),
                    ..link(3, "o-1", "veth", "ours:1")
                },
                Link {
                    controller: Some(2),
                    ..link(4, "o-2", "veth", "theirs:2")
                },
                Link {
                    controller: Some(2),
                    ..link(5, "o-3", "veth", "")
                },
                Link {
                    group: 0,
                    ..link(6, "o-4", "veth", "ours:4")
                },
            ],
            "ours:",
        );
        let wanted = AttachmentFound {
            host_interface: "o-1".into(),
            alias: "ours:1".into(),
            index: 3,
            bridge: Some("br0".into()),
            joined: None,
            up: true,
            isolated: false,
            guarded: true,
        };
        assert_eq!(found, [wanted]);
    }
}
