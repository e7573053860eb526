//! An interface whose addresses come by DHCPv6.
//!
//! Each address has lifetimes, so that the kernel removes it even if this program is gone. It goes through duplicate
//! address detection (RFC 4862, section 5.4). If another host has the address, the kernel removes or marks it;
//! [`Network::address_state`] returns which. [`Network::watch_interfaces`] reports when the state may have changed.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use futures_util::TryStreamExt;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, CacheInfo};
use netlink_sys::AsyncSocketExt;
use nix::errno::Errno;
use rtnetlink::constants::{RTMGRP_IPV6_IFADDR, RTMGRP_LINK};
use tokio::sync::mpsc;

use crate::link::find_link;
use crate::namespace::Namespace;
use crate::request::answer;
use crate::watch::{subscribe, subscribe_here};
use crate::{Network, NetworkError};

/// Bits of a lent address: the route to the rest of the link is no business of it (RFC 5942, section 4).
const WHOLE: u8 = 128;
/// A lifetime that does not end.
const INFINITY: u32 = u32::MAX;

/// An interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its number.
    pub index: u32,
    /// Its link-layer address, where that is Ethernet's.
    pub mac: Option<[u8; 6]>,
    /// Whether it is up and has a carrier.
    pub running: bool,
}

/// The state of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressState {
    /// The interface does not have it.
    Absent,
    /// Duplicate address detection is not over yet.
    Tentative,
    /// Someone else has it.
    Duplicate,
    /// It may be used.
    Ready,
}

impl Network {
    /// The interface of this name; nothing when there is none.
    ///
    /// # Errors
    ///
    /// When the kernel refuses or does not answer.
    pub async fn find_interface(&self, name: &str) -> Result<Option<Interface>, NetworkError> {
        let found = find_link(&self.netlink, name).await?;
        Ok(found.map(|link| Interface {
            index: link.index,
            mac: link.mac,
            running: link.up && link.carrier,
        }))
    }

    /// Lends an interface an address for so long; of one that it has already, only the lifetimes change.
    /// [`Duration::MAX`] is without end; what is more than `valid` is preferred for as long.
    ///
    /// # Errors
    ///
    /// When the kernel refuses: the interface is gone, IPv6 is off on it, no privilege.
    pub async fn lend_address(
        &self,
        index: u32,
        address: Ipv6Addr,
        preferred: Duration,
        valid: Duration,
    ) -> Result<(), NetworkError> {
        let mut lifetimes = CacheInfo::default();
        lifetimes.ifa_valid = seconds(valid);
        lifetimes.ifa_preferred = seconds(preferred).min(lifetimes.ifa_valid);
        let mut request = self.netlink.address().add(index, IpAddr::V6(address), WHOLE).replace();
        let attributes = &mut request.message_mut().attributes;
        attributes.push(AddressAttribute::CacheInfo(lifetimes));
        let added = answer(request.execute()).await;
        added.map_err(|failure| failure.doing(format!("giving {address} to interface number {index}")))
    }

    /// Takes a lent address from an interface; one that is gone is a success.
    ///
    /// # Errors
    ///
    /// When the kernel refuses: no privilege.
    pub async fn remove_address(&self, index: u32, address: Ipv6Addr) -> Result<(), NetworkError> {
        let mut message = AddressMessage::default();
        message.header.family = AddressFamily::Inet6;
        message.header.prefix_len = WHOLE;
        message.header.index = index;
        message.attributes.push(AddressAttribute::Local(address.into()));
        match answer(self.netlink.address().del(message).execute()).await {
            Err(failure) if !failure.is(Errno::EADDRNOTAVAIL) && !failure.is(Errno::ENODEV) => {
                Err(failure.doing(format!("taking {address} from interface number {index}")))
            }
            _ => Ok(()),
        }
    }

    /// The state of an address.
    ///
    /// # Errors
    ///
    /// When the kernel refuses or does not answer.
    pub async fn address_state(&self, index: u32, address: Ipv6Addr) -> Result<AddressState, NetworkError> {
        let all = self.addresses(index).await?;
        let found = all.iter().find(|message| address_of(message) == Some(address));
        Ok(found.map_or(AddressState::Absent, state_of))
    }

    /// The link-local address that an interface may use; nothing while there is none.
    ///
    /// # Errors
    ///
    /// When the kernel refuses or does not answer.
    pub async fn link_local(&self, index: u32) -> Result<Option<Ipv6Addr>, NetworkError> {
        let all = self.addresses(index).await?;
        let ready = all.iter().filter(|message| state_of(message) == AddressState::Ready);
        Ok(ready.filter_map(address_of).find(Ipv6Addr::is_unicast_link_local))
    }

    /// Says when interfaces or their addresses may have changed, until it fails; begins with that. It listens in the
    /// network namespace that this was opened in; where the calling thread is in the same one, that takes no privilege.
    ///
    /// A channel with room for one is enough: what there is no room for is said already.
    /// Returns why it ended, as [`watch`](Self::watch) does.
    pub async fn watch_interfaces(&self, changed: mpsc::Sender<()>) -> NetworkError {
        match self.report_interfaces(&changed).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn report_interfaces(&self, changed: &mpsc::Sender<()>) -> Result<Infallible, NetworkError> {
        let groups = RTMGRP_LINK | RTMGRP_IPV6_IFADDR;
        // Whoever watches its own namespace needs no privilege for it.
        let socket = match Namespace::own()?.is(&self.own) {
            true => subscribe_here(groups)?,
            false => subscribe(&self.own, groups).await?,
        };
        loop {
            if let Err(mpsc::error::TrySendError::Closed(())) = changed.try_send(()) {
                return Err(NetworkError::Unwatched);
            }
            let received = tokio::select! {
                received = socket.recv_from_full() => received,
                () = changed.closed() => return Err(NetworkError::Unwatched),
            };
            match received {
                Ok(_something) => {}
                // More than the socket could hold: something changed.
                Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => {}
                Err(source) => {
                    return Err(NetworkError::Refused {
                        doing: "watching the interfaces".into(),
                        source,
                    });
                }
            }
        }
    }

    async fn addresses(&self, index: u32) -> Result<Vec<AddressMessage>, NetworkError> {
        let mut request = self.netlink.address().get().set_link_index_filter(index);
        request.message_mut().header.family = AddressFamily::Inet6;
        let found = answer(request.execute().try_collect()).await;
        found.map_err(|failure| failure.doing(format!("listing the addresses of interface number {index}")))
    }
}

fn state_of(message: &AddressMessage) -> AddressState {
    let flags = message.header.flags;
    if flags.contains(AddressHeaderFlags::Dadfailed) {
        AddressState::Duplicate
    } else if flags.contains(AddressHeaderFlags::Tentative) && !flags.contains(AddressHeaderFlags::Optimistic) {
        AddressState::Tentative
    } else {
        AddressState::Ready
    }
}

fn address_of(message: &AddressMessage) -> Option<Ipv6Addr> {
    message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Address(IpAddr::V6(address)) => Some(*address),
        _ => None,
    })
}

/// Whole seconds; what has begun is not over, and what is too long does not end.
fn seconds(span: Duration) -> u32 {
    let whole = span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0));
    u32::try_from(whole).unwrap_or(INFINITY)
}
