//! IPv6 addresses of an interface.

use std::net::{IpAddr, Ipv6Addr};

use futures_util::TryStreamExt;
use ipnet::Ipv6Net;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressProtocol};
use nix::errno::Errno;
use rtnetlink::Handle;

use crate::NetworkError;
use crate::request::{Failure, answer};

/// The result of adding an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is new.
    New,
    /// The interface had it, perhaps with another prefix length.
    Found,
}

/// Adds an address that is usable at once: it is ours to give, so nobody is asked for a duplicate.
pub(crate) async fn add_address(netlink: &Handle, index: u32, address: Ipv6Net) -> Result<Added, Failure> {
    let mut request = netlink
        .address()
        .add(index, IpAddr::V6(address.addr()), address.prefix_len());
    request.message_mut().header.flags = AddressHeaderFlags::Nodad;
    match answer(request.execute()).await {
        Ok(()) => Ok(Added::New),
        Err(failure) if failure.is(Errno::EEXIST) => Ok(Added::Found),
        Err(failure) => Err(failure),
    }
}

/// The protocol number of the addresses at which this machine serves something on a link. It marks them as ours.
const SERVICE_PROTOCOL: u8 = crate::ROUTE_PROTOCOL;

/// Adds an address at which this machine serves something: a single one, with our mark.
pub(crate) async fn add_service_address(netlink: &Handle, index: u32, address: Ipv6Addr) -> Result<Added, Failure> {
    let mut request = netlink.address().add(index, IpAddr::V6(address), 128);
    let message = request.message_mut();
    message.header.flags = AddressHeaderFlags::Nodad;
    message
        .attributes
        .push(AddressAttribute::Protocol(AddressProtocol::Other(SERVICE_PROTOCOL)));
    match answer(request.execute()).await {
        Ok(()) => Ok(Added::New),
        Err(failure) if failure.is(Errno::EEXIST) => Ok(Added::Found),
        Err(failure) => Err(failure),
    }
}

/// Removes an address at which this machine served something. Success if it is gone already.
pub(crate) async fn remove_service_address(netlink: &Handle, index: u32, address: Ipv6Addr) -> Result<(), Failure> {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet6;
    message.header.prefix_len = 128;
    message.header.index = index;
    message.attributes.push(AddressAttribute::Address(IpAddr::V6(address)));
    match answer(netlink.address().del(message).execute()).await {
        Err(failure) if failure.is(Errno::EADDRNOTAVAIL) => Ok(()),
        removed => removed,
    }
}

/// The addresses of an interface that are neither link-local nor learnt from router advertisements.
pub(crate) async fn list_addresses(netlink: &Handle, index: u32) -> Result<Vec<Ipv6Net>, NetworkError> {
    let mut request = netlink.address().get().set_link_index_filter(index);
    request.message_mut().header.family = AddressFamily::Inet6;
    let found: Vec<AddressMessage> = answer(request.execute().try_collect())
        .await
        .map_err(|failure| failure.doing(format!("listing the addresses of interface number {index}")))?;
    let lasting = found
        .iter()
        .filter(|message| message.header.flags.contains(AddressHeaderFlags::Permanent));
    Ok(lasting
        .filter_map(address_of)
        .filter(|address| !address.addr().is_unicast_link_local())
        .collect())
}

/// An address that an interface has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    /// Number of the interface.
    pub(crate) interface: u32,
    /// The address, with its prefix length.
    pub(crate) address: Ipv6Net,
    /// Whether it carries our mark: this machine serves something there.
    pub(crate) service: bool,
}

/// The addresses of all interfaces.
pub(crate) async fn list_all_addresses(netlink: &Handle) -> Result<Vec<Held>, NetworkError> {
    let mut request = netlink.address().get();
    request.message_mut().header.family = AddressFamily::Inet6;
    let found: Vec<AddressMessage> = answer(request.execute().try_collect())
        .await
        .map_err(|failure| failure.doing("listing the addresses of all interfaces"))?;
    let held = |message: &AddressMessage| {
        Some(Held {
            interface: message.header.index,
            address: address_of(message)?,
            service: is_service(message),
        })
    };
    Ok(found.iter().filter_map(held).collect())
}

/// Whether an address carries our mark.
fn is_service(message: &AddressMessage) -> bool {
    let ours = AddressAttribute::Protocol(AddressProtocol::Other(SERVICE_PROTOCOL));
    message.header.prefix_len == 128 && message.attributes.contains(&ours)
}

/// The address and prefix length in a message.
fn address_of(message: &AddressMessage) -> Option<Ipv6Net> {
    message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Address(IpAddr::V6(address)) => Ipv6Net::new(*address, message.header.prefix_len).ok(),
        _ => None,
    })
}
