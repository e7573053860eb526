//! Announces an address on a bridge by an unsolicited neighbor advertisement.

use std::io;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use socket2::{Domain, Protocol, Socket, Type};

use crate::{Network, NetworkError};

/// All nodes on the link (RFC 4291, section 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Receivers drop what could have been forwarded, which is any other hop limit (RFC 4861, section 7.1.2).
const HOP_LIMIT: u32 = 255;
const NEIGHBOR_ADVERTISEMENT: u8 = 136;
/// The O flag: the advertisement overrides existing neighbour cache entries.
const OVERRIDE: u8 = 0x20;
const TARGET_LINK_LAYER_ADDRESS: u8 = 2;

impl Network {
    /// Sends an unsolicited neighbor advertisement (RFC 4861, section 7.2.6) of `address` at `mac` on the bridge.
    ///
    /// Without it, a host that solicited the address too early would solicit it again only after a second. The instance
    /// itself cannot announce it in time: when its interface comes up, the bridge does not yet forward from the other
    /// end.
    ///
    /// # Errors
    ///
    /// When the kernel gives no raw socket, or the bridge is gone.
    pub fn announce(&self, bridge: &str, address: Ipv6Addr, mac: [u8; 6]) -> Result<(), NetworkError> {
        send(bridge, &advertisement(address, mac)).map_err(|source| NetworkError::Refused {
            doing: format!("announcing {address} on {bridge}"),
            source,
        })
    }
}

/// The message; the kernel fills in its checksum.
fn advertisement(address: Ipv6Addr, mac: [u8; 6]) -> [u8; 32] {
    let mut message = [0; 32];
    message[0] = NEIGHBOR_ADVERTISEMENT;
    message[4] = OVERRIDE;
    message[8..24].copy_from_slice(&address.octets());
    // The option's length is in units of eight octets.
    message[24..26].copy_from_slice(&[TARGET_LINK_LAYER_ADDRESS, 1]);
    message[26..].copy_from_slice(&mac);
    message
}

fn send(bridge: &str, message: &[u8]) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    socket.set_nonblocking(true)?;
    socket.set_multicast_hops_v6(HOP_LIMIT)?;
    // By name, so that the kernel need not be asked for the bridge's index first.
    socket.bind_device(Some(bridge.as_bytes()))?;
    // Our own stack found the address by itself when it probed.
    socket.set_multicast_loop_v6(false)?;
    let everyone = SocketAddr::V6(SocketAddrV6::new(ALL_NODES, 0, 0, 0));
    socket.send_to(message, &everyone.into()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_is_as_rfc_4861_draws_it() {
        let message = advertisement("fd00::2:7".parse().unwrap(), [2, 0x6f, 1, 2, 3, 4]);
        assert_eq!(message[..8], [136, 0, 0, 0, 0x20, 0, 0, 0]);
        assert_eq!(message[8..24], "fd00::2:7".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(message[24..], [2, 1, 2, 0x6f, 1, 2, 3, 4]);
    }
}
