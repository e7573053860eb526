//! What arrives at a machine: its frames, as a packet socket sees them.

use std::fs::File;
use std::net::Ipv6Addr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send, socket};
use orchestrator_lab::poll;

/// How long what is on its way may take on a busy machine.
const LONG: Duration = Duration::from_secs(10);

/// The frames of one interface of a network.
pub(super) struct Tap(OwnedFd);

impl Tap {
    /// Begins to listen on an interface in the network at this path. What arrives after this returns is seen.
    pub(super) fn on(network: &Path, interface: &str) -> Self {
        let network = File::open(network).unwrap();
        let interface = interface.to_owned();
        let open = move || {
            setns(network, CloneFlags::CLONE_NEWNET).unwrap();
            let every = SockProtocol::EthAll;
            let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, every).unwrap();
            let mut addresses = nix::ifaddrs::getifaddrs().unwrap();
            let found = addresses.find_map(|one| {
                let is_it = one.interface_name == interface;
                is_it.then_some(one.address?.as_link_addr().copied()).flatten()
            });
            bind(socket.as_raw_fd(), &found.unwrap()).unwrap();
            Self(socket)
        };
        // A thread that enters a namespace ends there.
        thread::spawn(open).join().unwrap()
    }

    /// Sends a frame.
    pub(super) fn send(&self, frame: &[u8]) {
        send(self.0.as_raw_fd(), frame, MsgFlags::empty()).unwrap();
    }

    /// Forgets what has arrived.
    pub(super) fn clear(&self) {
        self.has(b"no frame holds these words");
    }

    /// Whether a frame with these octets has arrived. What was looked through is gone.
    pub(super) fn has(&self, octets: &[u8]) -> bool {
        let mut room = [0; 16384];
        let mut found = false;
        while let Ok(length) = recv(self.0.as_raw_fd(), &mut room, MsgFlags::MSG_DONTWAIT) {
            found |= room[..length].windows(octets.len()).any(|part| part == octets);
        }
        found
    }

    /// Waits until a frame with these octets has arrived.
    pub(super) fn sees(&self, octets: &[u8]) -> bool {
        poll("a frame", LONG, || self.has(octets).then_some(())).is_ok()
    }
}

/// Addresses and ports of a TCP or UDP packet without further headers, from the destination on.
pub(super) fn needle(to: Ipv6Addr, source_port: u16, port: u16) -> Vec<u8> {
    [&to.octets()[..], &source_port.to_be_bytes(), &port.to_be_bytes()].concat()
}
