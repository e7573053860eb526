//! Bridges with their ports and addresses, and who comes and goes.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::Ipv6Addr;

use netlink_sys::AsyncSocketExt;
use nix::errno::Errno;
use rtnetlink::constants::{RTMGRP_IPV6_IFADDR, RTMGRP_LINK};
use tokio::sync::mpsc;

use crate::address::list_all_addresses;
use crate::link::{Link, list_links};
use crate::watch::{LinkEvent, link_events, subscribe};
use crate::{Network, NetworkError};

/// A bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its name.
    pub bridge: String,
    /// Its alias; empty if it has none. [`joined_to`](crate::joined_to) reads that of a joined bridge.
    pub alias: String,
    /// Its link-layer address.
    pub mac: Option<[u8; 6]>,
    /// Its addresses.
    pub addresses: Vec<Ipv6Addr>,
    /// Its ports.
    pub ports: Vec<SegmentPort>,
}

/// A port of a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentPort {
    /// Its name.
    pub name: String,
    /// Its alias; empty if it has none.
    pub alias: String,
    /// Whether a daemon of this kind made it, or is about to.
    pub made: bool,
}

/// A change of bridges and their ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SegmentChange {
    /// Anything may have changed: list them.
    Everything,
    /// An interface is a port of this bridge now, or of none.
    Port {
        /// The port.
        port: SegmentPort,
        /// The bridge; `None` if it is none's port any more.
        bridge: Option<String>,
    },
}

impl Network {
    /// All bridges.
    ///
    /// # Errors
    ///
    /// [`TimedOut`](NetworkError::TimedOut) if the kernel does not answer.
    pub async fn segments(&self) -> Result<Vec<Segment>, NetworkError> {
        let links = list_links(&self.netlink).await?;
        let held = list_all_addresses(&self.netlink).await?;
        let segment = |bridge: &Link| Segment {
            bridge: bridge.name.clone(),
            alias: bridge.alias.clone(),
            mac: bridge.mac,
            addresses: held
                .iter()
                .filter(|held| held.interface == bridge.index)
                .map(|held| held.address.addr())
                .collect(),
            ports: Vec::new(),
        };
        let bridges = links.iter().filter(|link| link.is_kind("bridge"));
        let mut segments: BTreeMap<u32, Segment> = bridges.map(|bridge| (bridge.index, segment(bridge))).collect();
        for link in &links {
            if let Some(segment) = link.controller.and_then(|bridge| segments.get_mut(&bridge)) {
                segment.ports.push(port(link));
            }
        }
        Ok(segments.into_values().collect())
    }

    /// Reports changes until it fails, beginning with [`SegmentChange::Everything`].
    ///
    /// Returns why it ended: [`Unwatched`](NetworkError::Unwatched) if nobody listens any more; anything else is worth
    /// another call.
    pub async fn watch_segments(&self, changes: mpsc::Sender<SegmentChange>) -> NetworkError {
        match self.report_segments(&changes).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn report_segments(&self, changes: &mpsc::Sender<SegmentChange>) -> Result<Infallible, NetworkError> {
        let links = subscribe(&self.own, RTMGRP_LINK).await?;
        let addresses = subscribe(&self.own, RTMGRP_IPV6_IFADDR).await?;
        let mut known = Known::of(list_links(&self.netlink).await?);
        send(changes, SegmentChange::Everything).await?;
        loop {
            let (received, is_link) = tokio::select! {
                received = links.recv_from_full() => (received, true),
                received = addresses.recv_from_full() => (received, false),
                () = changes.closed() => return Err(NetworkError::Unwatched),
            };
            match received {
                Ok((datagram, _kernel)) if is_link => {
                    for change in link_events(&datagram)
                        .filter_map(|event| known.observe(event))
                        .collect::<Vec<_>>()
                    {
                        send(changes, change).await?;
                    }
                }
                Ok((datagram, _kernel)) => {
                    if known.is_of_bridge(&datagram) {
                        send(changes, SegmentChange::Everything).await?;
                    }
                }
                Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => {
                    known = Known::of(list_links(&self.netlink).await?);
                    send(changes, SegmentChange::Everything).await?;
                }
                Err(source) => {
                    return Err(NetworkError::Refused {
                        doing: "watching the ports of bridges".into(),
                        source,
                    });
                }
            }
        }
    }
}

fn port(link: &Link) -> SegmentPort {
    SegmentPort {
        name: link.name.clone(),
        alias: link.alias.clone(),
        made: link.is_ours(),
    }
}

async fn send(changes: &mpsc::Sender<SegmentChange>, change: SegmentChange) -> Result<(), NetworkError> {
    changes.send(change).await.map_err(|_closed| NetworkError::Unwatched)
}

/// The interfaces as they were last reported.
struct Known {
    ports: BTreeMap<u32, (SegmentPort, u32)>,
    /// Name, alias and link-layer address.
    bridges: BTreeMap<u32, (String, String, Option<[u8; 6]>)>,
}

impl Known {
    fn of(links: Vec<Link>) -> Self {
        let mut known = Self {
            ports: BTreeMap::new(),
            bridges: BTreeMap::new(),
        };
        for link in links {
            known.observe(LinkEvent::Seen(link));
        }
        known
    }

    fn observe(&mut self, event: LinkEvent) -> Option<SegmentChange> {
        match event {
            LinkEvent::Seen(link) if link.is_kind("bridge") => {
                let now = (link.name, link.alias, link.mac);
                let before = self.bridges.insert(link.index, now.clone());
                (before.as_ref() != Some(&now)).then_some(SegmentChange::Everything)
            }
            LinkEvent::Seen(link) => {
                let now = link.controller.map(|bridge| (port(&link), bridge));
                let before = match &now {
                    Some(now) => self.ports.insert(link.index, now.clone()),
                    None => self.ports.remove(&link.index),
                };
                if before == now {
                    return None;
                }
                // One that got another name is gone under the old one.
                if before.is_some_and(|(before, _)| before.name != link.name) {
                    return Some(SegmentChange::Everything);
                }
                let bridge = link.controller.and_then(|bridge| self.bridges.get(&bridge));
                Some(SegmentChange::Port {
                    port: port(&link),
                    bridge: bridge.map(|(name, ..)| name.clone()),
                })
            }
            LinkEvent::Gone(link) if self.bridges.remove(&link.index).is_some() => Some(SegmentChange::Everything),
            LinkEvent::Gone(link) => {
                let (port, _) = self.ports.remove(&link.index)?;
                Some(SegmentChange::Port { port, bridge: None })
            }
            LinkEvent::Port { .. } => None,
        }
    }

    /// Whether a change of an address is one of a bridge.
    fn is_of_bridge(&self, datagram: &[u8]) -> bool {
        // The address's interface is a number after the message's netlink header (struct ifaddrmsg).
        let mut messages = crate::netfilter::messages(datagram);
        messages.any(|(_, body)| {
            let index = body.get(4..8).and_then(|bytes| bytes.try_into().ok());
            index.is_none_or(|bytes| self.bridges.contains_key(&u32::from_ne_bytes(bytes)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, controller: Option<u32>) -> Link {
        Link {
            index,
            name: name.to_owned(),
            controller,
            ..Link::default()
        }
    }

    fn bridge() -> Link {
        Link {
            kind: Some("bridge".to_owned()),
            ..link(1, "br0", None)
        }
    }

    #[test]
    fn only_what_changes_is_reported() {
        let mut known = Known::of(vec![bridge(), link(2, "p1", Some(1))]);
        assert_eq!(known.observe(LinkEvent::Seen(bridge())), None);
        assert_eq!(known.observe(LinkEvent::Seen(link(2, "p1", Some(1)))), None);
        assert_eq!(known.observe(LinkEvent::Seen(link(3, "lo", None))), None);
        let change = known.observe(LinkEvent::Seen(link(3, "p2", Some(1))));
        let port = |name: &str| SegmentPort {
            name: name.to_owned(),
            alias: String::new(),
            made: false,
        };
        let expected = SegmentChange::Port {
            port: port("p2"),
            bridge: Some("br0".to_owned()),
        };
        assert_eq!(change, Some(expected));
        let gone = SegmentChange::Port {
            port: port("p1"),
            bridge: None,
        };
        assert_eq!(known.observe(LinkEvent::Seen(link(2, "p1", None))), Some(gone));
        assert_eq!(known.observe(LinkEvent::Gone(link(2, "p1", None))), None);
        let renamed = known.observe(LinkEvent::Seen(link(3, "p3", Some(1))));
        assert_eq!(renamed, Some(SegmentChange::Everything));
        assert_eq!(
            known.observe(LinkEvent::Gone(bridge())),
            Some(SegmentChange::Everything)
        );
    }
}
