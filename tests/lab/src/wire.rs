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
use orchestrator_wire::in_frame;

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
        if let Some(kind) = in_frame(&frame[..length]).map(|message| message[0]) {
            let message = Message {
                at: Instant::now(),
                wall: SystemTime::now(),
                kind,
            };
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(message);
        }
    }
}
