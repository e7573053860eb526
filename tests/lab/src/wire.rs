//! What passes on a wire, and when.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, setsockopt, socket, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::Namespace;

/// A DHCPv6 message that was seen, sent or received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// When it was seen, by the monotonic clock.
    pub at: Instant,
    /// When it was seen, by the wall clock.
    pub wall: SystemTime,
    /// Message type (RFC 9915, section 7.3).
    pub kind: u8,
}

/// The message type Solicit.
pub const SOLICIT: u8 = 1;
/// The message type Reply.
pub const REPLY: u8 = 7;

/// The message type Release.
pub const RELEASE: u8 = 8;

/// Listens to DHCPv6 on all interfaces of a namespace, until dropped. Where frames are bridged they are seen once on
/// each port and once on the bridge: listen at the client's end.
pub struct Wire {
    seen: Arc<Mutex<Vec<Message>>>,
    ended: Arc<AtomicBool>,
    listener: Option<JoinHandle<()>>,
}

impl Wire {
    /// Begins to listen. What is sent after this returns is seen.
    ///
    /// # Errors
    ///
    /// When the socket cannot be made.
    pub fn tap(namespace: &Namespace) -> Result<Self> {
        let every = SockProtocol::EthAll;
        let open = || socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, every);
        let tap = namespace.within(open).context("cannot open a packet socket")?;
        // So that the listener looks up now and then, whether it is to end.
        setsockopt(&tap.as_fd(), sockopt::ReceiveTimeout, &TimeVal::milliseconds(100))?;
        let (seen, ended) = (Arc::default(), Arc::default());
        let (into, end) = (Arc::clone(&seen), Arc::clone(&ended));
        let listener = thread::spawn(move || listen(File::from(tap), &into, &end));
        Ok(Self {
            seen,
            ended,
            listener: Some(listener),
        })
    }

    /// What was seen so far, in order.
    pub fn messages(&self) -> Vec<Message> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The first message of this type, if one was seen.
    pub fn first(&self, kind: u8) -> Option<Message> {
        self.messages().into_iter().find(|message| message.kind == kind)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(listener) = self.listener.take() {
            listener.join().ok();
        }
    }
}

fn listen(mut tap: File, seen: &Mutex<Vec<Message>>, ended: &AtomicBool) {
    let mut frame = [0; 2048];
    while !ended.load(Ordering::Relaxed) {
        // Nothing for a while, or an interface that went down or away: others may go on.
        let Ok(length) = tap.read(&mut frame) else { continue };
        if let Some(kind) = message_type(&frame[..length]) {
            let message = Message {
                at: Instant::now(),
                wall: SystemTime::now(),
                kind,
            };
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        }
    }
}

/// The DHCPv6 message type of an Ethernet frame that carries such a message directly in IPv6 and UDP.
fn message_type(frame: &[u8]) -> Option<u8> {
    const IPV6: [u8; 2] = [0x86, 0xdd];
    const UDP: u8 = 17;
    let (ethernet, packet) = frame.split_at_checked(14)?;
    let (ip, datagram) = packet.split_at_checked(40)?;
    let (udp, message) = datagram.split_at_checked(8)?;
    let port = u16::from_be_bytes([udp[2], udp[3]]);
    let is_dhcp = ethernet[12..] == IPV6 && ip[6] == UDP && matches!(port, 546 | 547);
    is_dhcp.then(|| message.first().copied()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dhcpv6_counts() {
        let mut frame = [0; 14 + 40 + 8 + 4];
        frame[12..14].copy_from_slice(&[0x86, 0xdd]);
        frame[14 + 6] = 17;
        frame[14 + 40 + 2..14 + 40 + 4].copy_from_slice(&547u16.to_be_bytes());
        frame[14 + 40 + 8] = SOLICIT;
        assert_eq!(message_type(&frame), Some(SOLICIT));
        assert_eq!(message_type(&frame[..14 + 40 + 8]), None);
        frame[14 + 40 + 3] = 53;
        assert_eq!(message_type(&frame), None);
    }
}
