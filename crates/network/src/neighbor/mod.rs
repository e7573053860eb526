//! Neighbours on a bridge: hints that a host has an address, and their verification.
//!
//! There are two sources of hints:
//!
//! - The kernel's neighbour table, by netlink. It has the hosts that this machine talks to, and it reports whether they
//!   answered.
//! - Neighbour solicitations and advertisements on the bridge, by a packet socket with a filter in the kernel. A host
//!   sends one when it takes an address (duplicate address detection, RFC 4862, section 5.4) and whenever it resolves a
//!   neighbour. A host that never talks to this machine is seen only this way. All other packets stay in the kernel.
//!
//! Both are only hints, because anyone can send them. [`Network::verify_neighbors`] makes the kernel solicit the
//! address itself, repeatedly as RFC 4861, section 7.3 requires; the watch reports the result.
//!
//! A bridge that snoops multicast on a link with a querier forwards to us only the groups that we joined. There, hosts
//! are seen when they talk to this machine. Bridges that we create do not snoop.

mod event;
mod solicitation;

use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr};

use futures_util::TryStreamExt;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::neighbour::{NeighbourFlags, NeighbourMessage, NeighbourState};
use netlink_sys::AsyncSocketExt;
use nix::errno::Errno;
use rtnetlink::constants::RTMGRP_NEIGH;
use tokio::sync::mpsc;

use self::event::{change, changes, is_of};
use self::solicitation::Solicitations;
use crate::request::answer;
use crate::watch::subscribe;
use crate::{Bridge, Network, NetworkError};

/// A change of a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeighborChange {
    /// Anything may have changed: the watch has just begun, or has missed something.
    Everything,
    /// Someone uses this address, or says so.
    Hinted {
        /// The address.
        address: Ipv6Addr,
        /// Where that was said from.
        mac: [u8; 6],
    },
    /// The address answers.
    Reachable {
        /// The address.
        address: Ipv6Addr,
        /// Where it answers from.
        mac: [u8; 6],
    },
}

impl Network {
    /// Reports changes of neighbours on a bridge until it fails, beginning with [`NeighborChange::Everything`].
    ///
    /// The channel is bounded. When a slow caller misses changes, it gets another
    /// [`Everything`](NeighborChange::Everything).
    ///
    /// Returns why it ended: [`Unwatched`](NetworkError::Unwatched) if the channel is closed; after any other error,
    /// call it again.
    pub async fn watch_neighbors(&self, bridge: &Bridge, heard: mpsc::Sender<NeighborChange>) -> NetworkError {
        match self.report_neighbors(bridge.index, &heard).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    /// Makes the kernel ask addresses whether they are there. The verdicts come through the watch; of one that does
    /// not answer nothing comes. What an administrator set for good is left alone.
    ///
    /// # Errors
    ///
    /// When the kernel refuses: the bridge is gone, or its table of neighbours is full.
    pub async fn verify_neighbors(&self, bridge: &Bridge, addresses: &[Ipv6Addr]) -> Result<(), NetworkError> {
        let table = self.neighbors().await?;
        for address in addresses {
            let known = table.iter().find(|entry| is_of(entry, bridge.index, *address));
            let asked = match known.map(|entry| entry.header.state) {
                Some(NeighbourState::Permanent | NeighbourState::Noarp) => continue,
                // Asked at its link-layer address, and at once.
                Some(
                    NeighbourState::Reachable | NeighbourState::Stale | NeighbourState::Delay | NeighbourState::Probe,
                ) => (NeighbourState::Probe, NeighbourFlags::empty()),
                _ => (NeighbourState::None, NeighbourFlags::Use),
            };
            self.ask(bridge, *address, asked).await?;
        }
        Ok(())
    }

    async fn ask(
        &self,
        bridge: &Bridge,
        address: Ipv6Addr,
        (state, flags): (NeighbourState, NeighbourFlags),
    ) -> Result<(), NetworkError> {
        let request = self.netlink.neighbours().add(bridge.index, IpAddr::V6(address));
        match answer(request.state(state).flags(flags).replace().execute()).await {
            // It went from the table since it was read: the next try begins anew.
            Err(failure) if !failure.is(Errno::EINVAL) => {
                Err(failure.doing(format!("asking {address} on {} whether it is there", bridge.name)))
            }
            _ => Ok(()),
        }
    }

    /// The kernel's table.
    async fn neighbors(&self) -> Result<Vec<NeighbourMessage>, NetworkError> {
        let request = self.netlink.neighbours().get().set_address_family(AddressFamily::Inet6);
        answer(request.execute().try_collect())
            .await
            .map_err(|failure| failure.doing("listing neighbours"))
    }

    async fn report_neighbors(
        &self,
        index: u32,
        heard: &mpsc::Sender<NeighborChange>,
    ) -> Result<Infallible, NetworkError> {
        let kernel = subscribe(&self.own, RTMGRP_NEIGH).await?;
        let solicitations = Solicitations::open(&self.own, index).await?;
        self.report_table(index, heard).await?;
        loop {
            tokio::select! {
                () = heard.closed() => return Err(NetworkError::Unwatched),
                received = kernel.recv_from_full() => match received {
                    Ok((datagram, _)) => {
                        for change in changes(&datagram, index) {
                            send(heard, change).await?;
                        }
                    }
                    Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => {
                        self.report_table(index, heard).await?;
                    }
                    Err(source) => return Err(refused(source)),
                },
                hinted = solicitations.receive() => {
                    let (address, mac) = hinted.map_err(refused)?;
                    send(heard, NeighborChange::Hinted { address, mac }).await?;
                }
            }
        }
    }

    /// Reports the whole table, after [`NeighborChange::Everything`].
    async fn report_table(&self, index: u32, heard: &mpsc::Sender<NeighborChange>) -> Result<(), NetworkError> {
        let table = self.neighbors().await?;
        send(heard, NeighborChange::Everything).await?;
        for change in table.iter().filter_map(|message| change(message, index)) {
            send(heard, change).await?;
        }
        Ok(())
    }
}

fn refused(source: std::io::Error) -> NetworkError {
    NetworkError::Refused {
        doing: "watching the neighbours".into(),
        source,
    }
}

async fn send(heard: &mpsc::Sender<NeighborChange>, change: NeighborChange) -> Result<(), NetworkError> {
    heard.send(change).await.map_err(|_closed| NetworkError::Unwatched)
}
