//! Sockets at one address each: queries in, responses out, with limits on everything that strangers can send.
//!
//! ```text
//!   datagrams, a batch at a time ─┐                                ┌── response
//!                                 ├─▶ may ask? ─▶ rate ─▶ answer ──┤
//!   TCP connections, a few each ──┘                                └── elsewhere ─▶ forward, or refuse
//! ```
//!
//! - A query by UDP from outside the link gets no answer: its source address can be false, and an answer is larger than the
//!   query.
//! - A name of nobody here is forwarded for those on the link, if the settings name servers, and refused otherwise.
//! - What is held for strangers is bounded: connections and forwarded queries in all and of each, bytes, times.

mod admission;
mod batch;
mod forward;
mod place;
mod shares;
mod tcp;
mod udp;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use orchestrator_runtime::metrics::Metrics;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use place::Place;

use self::admission::Admission;
use self::forward::Forwarder;
use self::tcp::TcpFace;
use self::udp::UdpFace;
use crate::Directory;

/// What every place answers with.
#[derive(Clone)]
pub struct Parts {
    /// The names as they are now.
    pub names: watch::Receiver<Arc<Directory>>,
    /// Where answers and refusals are counted.
    pub metrics: Metrics,
    /// A secret, so that nobody can choose with whom they share a rate limit.
    pub key: [u8; 16],
}

/// The sockets of one place.
pub struct Sockets {
    udp: UdpFace,
    tcp: TcpFace,
}

/// What the sockets of one place share.
struct Shared {
    place: Place,
    names: watch::Receiver<Arc<Directory>>,
    metrics: Metrics,
    admission: Admission,
    forwarder: Option<Forwarder>,
    /// Counts answers, over both transports.
    turns: AtomicUsize,
}

impl Shared {
    /// Which record is the first of an answer. It is mixed: programs that ask for two types by turns get each record first
    /// equally often.
    fn turn(&self) -> usize {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
    }
}

impl Sockets {
    /// Opens both sockets of a place.
    ///
    /// # Errors
    ///
    /// When the interface is gone, or another program listens there.
    pub fn open(place: &Place, parts: &Parts) -> io::Result<Self> {
        let (udp, tcp) = (place.udp()?, place.tcp()?);
        let forwarder = match place.forward.is_empty() {
            true => None,
            false => Some(Forwarder::new(place.forward.clone(), parts.metrics.clone())),
        };
        let shared = Arc::new(Shared {
            place: place.clone(),
            names: parts.names.clone(),
            metrics: parts.metrics.clone(),
            admission: Admission::new(place, parts.key),
            forwarder,
            turns: AtomicUsize::default(),
        });
        Ok(Self {
            udp: UdpFace::new(udp, shared.clone())?,
            tcp: TcpFace::new(tcp, shared)?,
        })
    }

    /// Answers until it is to stop. What is under way ends by its time limits.
    pub async fn run(self, stop: CancellationToken) {
        let tasks = TaskTracker::new();
        tokio::join!(self.udp.run(&stop, &tasks), self.tcp.run(&stop, &tasks));
        tasks.close();
        tasks.wait().await;
    }
}

#[cfg(test)]
mod tests;
