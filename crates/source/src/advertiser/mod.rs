//! Router advertisements on one link (RFC 4861, section 6.2): unsolicited, in answer to solicitations, and a last one
//! that withdraws the router when it stops for good.
//!
//! The protocol's [`Agenda`] says when one is due. This module has the socket, the clock and the random numbers. It
//! also receives the advertisements of other routers; contradictions are logged once and counted (section 6.2.7).
//!
//! A restart of the daemon does not withdraw the router: clients keep it, and instances continue to run. The last
//! advertisement is sent only if [`Ending`] says that the link is left for good, or if the settings remove the link or
//! its advertisements. If an advertiser ended without it because its bridge failed, [`Standing`] remembers that it is
//! due.
//!
//! Changed settings apply at once, and are advertised as soon and as often as the standard allows (section 6.2.4).
//! Anything that is no longer advertised ends with its lifetime.

mod message;
mod rivals;
mod standing;

use std::io;
use std::net::Ipv6Addr;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use orchestrator_dhcp6::advert::{Agenda, RouterAdvertisement, RouterSolicitation};
use orchestrator_network::{Icmp6Message, Icmp6Socket};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use self::rivals::Rivals;
pub use self::standing::Standing;
use crate::Recorder;
use orchestrator_model::{Clock, EventKind, NewEvent};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::metrics::Metrics;
use orchestrator_settings::{AdvertisementSettings, Current, LinkSettings, Settings};

/// All-nodes and all-routers on the link (RFC 4291, section 2.7.1).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// The groups that an advertiser's socket joins.
pub const GROUPS: [Ipv6Addr; 2] = [ALL_NODES, ALL_ROUTERS];
/// ICMPv6 types.
const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;

/// The signals that end an advertiser.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// Ends the advertiser.
    pub stop: CancellationToken,
    /// Cancelled before `stop` if the link is left for good, so that hosts use another router.
    pub for_good: CancellationToken,
}

/// Sends the advertisements of one link.
pub struct Advertiser {
    bridge: String,
    socket: Icmp6Socket,
    message: RouterAdvertisement,
    encoded: Vec<u8>,
    interval: RangeInclusive<Duration>,
    agenda: Agenda,
    settings: Current,
    rivals: Rivals,
    standing: Standing,
    metrics: Metrics,
    timeline: Timeline,
    /// Timeline rows on their way to the store. Nothing waits for them.
    notes: FuturesUnordered<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// Where an advertiser records what it observes.
#[derive(Clone)]
pub struct Timeline {
    /// Writes events.
    pub recorder: Recorder,
    /// Gives them their time.
    pub clock: Clock,
}

impl Advertiser {
    /// Opens the socket on the link's bridge, in the network namespace of the calling thread. `None` if the settings
    /// want no advertisements.
    ///
    /// # Errors
    ///
    /// When it cannot be opened: the bridge is gone, or the privilege is missing.
    pub fn open(
        bridge: &str,
        index: u32,
        settings: Current,
        standing: Standing,
        metrics: Metrics,
        timeline: Timeline,
    ) -> io::Result<Option<Self>> {
        let in_force = settings.get();
        let Some((link, advertisement)) = of(&in_force, bridge) else {
            return Ok(None);
        };
        let message = message::of_link(link, advertisement);
        Ok(Some(Self {
            bridge: bridge.to_owned(),
            socket: open_socket(bridge, index)?,
            encoded: message.encode(),
            message,
            interval: advertisement.min_interval..=advertisement.max_interval,
            agenda: Agenda::new(advertisement.min_interval..=advertisement.max_interval),
            settings,
            rivals: Rivals::new(bridge, metrics.clone()),
            standing,
            metrics,
            timeline,
            notes: FuturesUnordered::new(),
        }))
    }

    /// Sends advertisements until it is stopped, or the settings want none any more. If the link is left for good, it
    /// sends the last advertisement first.
    ///
    /// # Errors
    ///
    /// When the socket fails: the bridge is gone.
    pub async fn run(mut self, ending: &Ending) -> io::Result<()> {
        let begin = Instant::now();
        let wanted = loop {
            tokio::select! {
                () = ending.stop.cancelled() => break true,
                settings = self.settings.changed() => if !self.follow(&settings, begin.elapsed()) {
                    break false;
                },
                () = sleep_until(begin + self.agenda.next()) => self.send_due(begin.elapsed()),
                received = self.socket.receive() => self.handle(&received?, begin.elapsed()),
                Some(()) = self.notes.next() => {}
            }
        };
        if !wanted || ending.for_good.is_cancelled() {
            sleep_until(begin + self.agenda.farewell(begin.elapsed())).await;
            self.standing.withdraw(&self.bridge, &self.socket, &self.metrics)?;
        }
        Ok(())
    }

    /// Adopts other settings. Returns `false` if they want no advertisements.
    fn follow(&mut self, settings: &Settings, now: Duration) -> bool {
        let Some((link, advertisement)) = of(settings, &self.bridge) else {
            return false;
        };
        let message = message::of_link(link, advertisement);
        let interval = advertisement.min_interval..=advertisement.max_interval;
        if (&message, &interval) != (&self.message, &self.interval) {
            self.encoded = message.encode();
            self.message = message;
            self.interval = interval.clone();
            self.agenda.renew(now, interval);
        }
        true
    }

    fn send_due(&mut self, now: Duration) {
        let due = self.agenda.take_due(now, chance());
        for solicitor in due.unicast {
            self.send(&self.encoded, solicitor, "solicited");
        }
        if due.multicast {
            self.send(&self.encoded, ALL_NODES, "unsolicited");
        }
    }

    fn handle(&mut self, received: &Icmp6Message, now: Duration) {
        let Icmp6Message {
            bytes,
            source,
            hop_limit,
        } = received;
        if bytes.first() == Some(&ROUTER_ADVERTISEMENT) {
            if let Some(router) = self.rivals.observe(received, &self.message, now) {
                self.note_router(router);
            }
            return;
        }
        match RouterSolicitation::parse(bytes, *source, *hop_limit) {
            Ok(_) => self.agenda.solicit(now, *source, chance()),
            Err(fault) => {
                self.metrics.solicitation_refused(fault.word());
                tracing::debug!(bridge = self.bridge, %source, "a router solicitation is not answered: {fault}");
            }
        }
    }

    /// Records another router in the timeline.
    fn note_router(&self, router: Ipv6Addr) {
        let detail = format!(
            "another router, {router}, advertises itself on the link: clients may send through it. If it should not be \
             there, find its port and take it off"
        );
        let Timeline { recorder, clock } = self.timeline.clone();
        let event = NewEvent {
            link: Some(self.bridge.clone()),
            detail: Some(detail),
            ..NewEvent::new(clock.now(), EventKind::OtherRouter)
        };
        let log_limit = self.metrics.log_limit().clone();
        self.notes.push(Box::pin(async move {
            if let Err(fault) = recorder.report(event).await
                && let Some(held_back) = log_limit.admit("note-unrecorded")
            {
                tracing::warn!(held_back, "could not record another router: {}", with_causes(&fault));
            }
        }));
    }

    fn send(&self, bytes: &[u8], to: Ipv6Addr, cause: &'static str) {
        match self.socket.send(bytes, to) {
            Ok(()) => {
                self.standing.set(&self.message);
                self.metrics.advertised(cause);
            }
            Err(fault) => {
                self.metrics.advertised("unsent");
                if let Some(held_back) = self.metrics.log_limit().admit("advertisement-unsent") {
                    let fault = &fault as &dyn std::error::Error;
                    tracing::warn!(bridge = self.bridge, %to, error = fault, held_back, "could not advertise");
                }
            }
        }
    }
}

/// The link of a bridge, with its advertisement settings.
fn of<'a>(settings: &'a Settings, bridge: &str) -> Option<(&'a LinkSettings, &'a AdvertisementSettings)> {
    let link = settings.link(bridge)?;
    Some((link, link.advertisement.as_ref()?))
}

/// A socket for router solicitations and advertisements on a bridge, in the network namespace of the calling thread.
fn open_socket(bridge: &str, index: u32) -> io::Result<Icmp6Socket> {
    Icmp6Socket::open(bridge, index, &[ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT], &GROUPS)
}

/// A random number from 0 to 1; 1 if the system's random source fails.
fn chance() -> f64 {
    getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX))
}
