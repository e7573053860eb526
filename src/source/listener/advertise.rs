//! Router advertisements on one link (RFC 4861, section 6.2): unsolicited at random intervals, and in answer to
//! solicitations.

use std::io;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::Duration;

use orchestrator_dhcp6::advert::{RouterAdvertisement, RouterSolicitation};
use socket2::{Protocol, Type};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::raw::{BridgeSocket, Datagram};
use crate::metrics::Metrics;

/// All-nodes and all-routers on the link (RFC 4291, section 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// Bounds of the interval between two unsolicited ones: MinRtrAdvInterval and MaxRtrAdvInterval.
const INTERVAL: (Duration, Duration) = (Duration::from_secs(200), Duration::from_secs(600));
/// MAX_INITIAL_RTR_ADVERTISEMENTS, and the longest interval between them.
const INITIAL: (u32, Duration) = (3, Duration::from_secs(16));
/// MAX_RA_DELAY_TIME: a solicited one is delayed by a random time up to this.
const LONGEST_DELAY: Duration = Duration::from_millis(500);
/// MIN_DELAY_BETWEEN_RAS: multicast ones are at least this far apart.
const APART: Duration = Duration::from_secs(3);
/// Solicitors whose answers may wait at the same time; one more is answered by one multicast for all.
const WAITING: usize = 64;

/// Sends the advertisements of one link.
pub struct Advertiser {
    bridge: String,
    index: u32,
    socket: BridgeSocket,
    advertisement: Vec<u8>,
    metrics: Metrics,
}

/// What is due, and when.
struct Agenda {
    unsolicited: Instant,
    initial_left: u32,
    last_multicast: Option<Instant>,
    solicited: Vec<(Instant, Ipv6Addr)>,
}

impl Advertiser {
    /// Opens the socket on the bridge.
    ///
    /// # Errors
    ///
    /// When it cannot be opened: the bridge is gone, no privilege.
    pub fn open(bridge: &str, index: u32, advertisement: &RouterAdvertisement, metrics: Metrics) -> io::Result<Self> {
        let socket = BridgeSocket::open(Type::RAW, Protocol::ICMPV6, bridge)?;
        // Receivers drop advertisements that were forwarded, which is any other hop limit (section 6.1.2).
        socket.set_multicast_hops_v6(255)?;
        socket.set_unicast_hops_v6(255)?;
        nix::sys::socket::setsockopt(&socket, nix::sys::socket::sockopt::Ipv6RecvHopLimit, &true)?;
        socket.join_multicast_v6(&ALL_ROUTERS, index)?;
        Ok(Self {
            bridge: bridge.to_owned(),
            index,
            socket: BridgeSocket::new(socket)?,
            advertisement: advertisement.encode(),
            metrics,
        })
    }

    /// Advertises until `stop`. It says no farewell: a daemon that restarts is still its clients' router.
    ///
    /// # Errors
    ///
    /// When the socket fails: the bridge is gone.
    pub async fn run(self, stop: &CancellationToken) -> io::Result<()> {
        let mut agenda = Agenda {
            unsolicited: Instant::now(),
            initial_left: INITIAL.0,
            last_multicast: None,
            solicited: Vec::new(),
        };
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = sleep_until(agenda.next()) => self.send_due(&mut agenda),
                received = self.socket.receive(WAITING, &mut batch) => {
                    received?;
                    batch.drain(..).for_each(|datagram| hear(&datagram, &mut agenda));
                }
            }
        }
    }

    fn send_due(&self, agenda: &mut Agenda) {
        let now = Instant::now();
        let due: Vec<Ipv6Addr> = agenda
            .solicited
            .extract_if(.., |(when, _)| *when <= now)
            .map(|(_, solicitor)| solicitor)
            .collect();
        for solicitor in due {
            self.send(&self.advertisement, solicitor, "solicited");
        }
        if agenda.unsolicited <= now {
            self.send(&self.advertisement, ALL_NODES, "unsolicited");
            agenda.sent_multicast(now);
        }
    }

    fn send(&self, bytes: &[u8], to: Ipv6Addr, cause: &'static str) {
        match self.socket.send(bytes, SocketAddrV6::new(to, 0, 0, self.index)) {
            Ok(()) => self.metrics.advertised(cause),
            Err(fault) => {
                self.metrics.advertised("unsent");
                tracing::warn!(bridge = self.bridge, %to, error = &fault as &dyn std::error::Error, "could not advertise");
            }
        }
    }
}

impl Agenda {
    fn next(&self) -> Instant {
        self.solicited
            .iter()
            .map(|(when, _)| *when)
            .chain([self.unsolicited])
            .min()
            .unwrap_or(self.unsolicited)
    }

    fn sent_multicast(&mut self, now: Instant) {
        self.last_multicast = Some(now);
        self.initial_left = self.initial_left.saturating_sub(1);
        let mut interval = INTERVAL.0 + random_up_to(INTERVAL.1 - INTERVAL.0);
        if self.initial_left > 0 {
            interval = interval.min(INITIAL.1);
        }
        self.unsolicited = now + interval;
    }

    /// One for all, as soon as the last one allows.
    fn multicast_soon(&mut self, now: Instant) {
        let earliest = self.last_multicast.map_or(now, |last| last + APART);
        let when = earliest.max(now + random_up_to(LONGEST_DELAY));
        self.unsolicited = self.unsolicited.min(when);
    }
}

/// Notes what a solicitation asks for.
fn hear(datagram: &Datagram, agenda: &mut Agenda) {
    let solicitor = *datagram.source.ip();
    let hop_limit = datagram
        .hop_limit
        .and_then(|limit| u8::try_from(limit).ok())
        .unwrap_or(0);
    // The socket hears all of ICMPv6; what is no valid solicitation (section 6.1.1) is none of ours.
    if datagram.truncated || RouterSolicitation::parse(&datagram.bytes, solicitor, hop_limit).is_err() {
        return;
    }
    let now = Instant::now();
    // Who has no address yet can be answered only through everyone's.
    if solicitor.is_unspecified() || agenda.solicited.len() >= WAITING {
        agenda.multicast_soon(now);
    } else if !agenda.solicited.iter().any(|(_, waiting)| *waiting == solicitor) {
        agenda.solicited.push((now + random_up_to(LONGEST_DELAY), solicitor));
    }
}

/// A random span between zero and `longest`; `longest` when the system's random source fails.
fn random_up_to(longest: Duration) -> Duration {
    getrandom::u32().map_or(longest, |random| {
        longest.mul_f64(f64::from(random) / f64::from(u32::MAX))
    })
}
