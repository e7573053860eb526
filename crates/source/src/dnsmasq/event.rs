//! Events of dnsmasq, and their effect on leases.

mod read;
mod written;

use std::fmt;
use std::net::Ipv6Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The format in which events are sent and stored: the API's.
use orchestrator_api_types::DnsmasqEvent as Written;
pub use orchestrator_api_types::DnsmasqVerb;
use orchestrator_model::{
    Clock, Duid, GrantedTo, Iaid, LeaseChange, LeaseSource, LeaseVerb, LinkLayerAddress, Timestamp,
};

/// The longest domain name, in bytes.
const LONGEST_HOSTNAME: usize = 253;

/// The largest time between a `del` and the end of its lease for the lease to count as expired: dnsmasq counts whole
/// seconds.
pub(super) const EXPIRY_SLACK: Duration = Duration::from_secs(1);

/// A DHCPv6 lease event of dnsmasq.
///
/// Its JSON has the version of its format, so that the daemon can read an event that an older hook left in the spool,
/// or report that it cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct DnsmasqEvent {
    /// The kind of the event.
    pub verb: DnsmasqVerb,
    /// The client's DUID.
    pub duid: Duid,
    /// The client's identity association.
    pub iaid: Iaid,
    /// The leased address.
    pub address: Ipv6Addr,
    /// The interface that the client is on, which names the link. Empty if dnsmasq cannot name it, because its bridge
    /// is not there yet or is gone; then the verb is not [`DnsmasqVerb::Add`].
    pub interface: String,
    /// When the lease ends, by dnsmasq's clock; `None` for a lease without end, and from a dnsmasq without a clock.
    pub expires: Option<Timestamp>,
    /// The remaining seconds of the lease; never given with [`DnsmasqVerb::Del`].
    pub remaining: Option<u32>,
    /// The seconds for which the lease was granted or last renewed. Only a dnsmasq without a clock (`HAVE_BROKEN_RTC`)
    /// gives it, also for leases that end.
    pub length: Option<u32>,
    /// The client's link-layer address, if dnsmasq knows it.
    pub link_layer: Option<LinkLayerAddress>,
    /// The client's host name, if it is a domain name.
    pub hostname: Option<String>,
    /// When the hook ran, by the wall clock.
    pub at: Timestamp,
}

/// The result of reading the arguments and the environment of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookCall {
    /// An event of a DHCPv6 lease.
    Event(Box<DnsmasqEvent>),
    /// An event that the daemon does not need.
    Ignored(Ignored),
}

/// The reason why the daemon does not need an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ignored {
    /// dnsmasq starts.
    Init,
    /// A DHCPv4 lease.
    Dhcp4,
    /// A temporary address (IA_TA). Its client has a lasting one, too.
    Temporary,
    /// dnsmasq knows more verbs (`tftp`, `arp-add`, …) and may learn others; scripts are to ignore them.
    Verb(String),
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Init => f.write_str("dnsmasq starts"),
            Self::Dhcp4 => f.write_str("a DHCPv4 lease"),
            Self::Temporary => f.write_str("a temporary address"),
            Self::Verb(verb) => write!(f, "{verb:?} is no event of a lease"),
        }
    }
}

/// The fault of an event of dnsmasq.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// An argument or variable is missing.
    #[error("dnsmasq gave no {0}; run this as its dhcp-script and not by hand")]
    Missing(&'static str),
    /// An argument or variable cannot be parsed.
    #[error("dnsmasq gave {text:?} as {what}, which is not valid; is this dnsmasq newer than this program?")]
    Unreadable {
        /// The argument or variable.
        what: &'static str,
        /// Its text, cut to a readable length.
        text: String,
    },
    /// The version of the event's format is unknown.
    #[error("the event has form {0}, and form 1 is the only one known here; update the daemon")]
    Version(u32),
}

impl DnsmasqEvent {
    /// The link that dnsmasq names; `None` if it names none.
    pub fn link(&self) -> Option<&str> {
        Some(self.interface.as_str()).filter(|name| !name.is_empty())
    }

    /// Whether dnsmasq will repeat this event: it has read the lease from its file and has not found the interface yet.
    /// It reports the lease again when the interface is there.
    pub fn is_premature(&self) -> bool {
        self.verb == DnsmasqVerb::Old && self.link().is_none()
    }

    /// The change of the lease, with times of the daemon's clock.
    ///
    /// An `add` or `del` that the hook passes on at once is new. `old` may be a renewal or a repetition, and an event
    /// of the spool may be out of date: both are marked as replayed.
    pub fn into_change(self, handed: Handed, clock: &Clock) -> LeaseChange {
        self.change(handed, clock.now(), clock.wall_offset())
    }

    /// Whether the lease ended but may have expired or been released, because dnsmasq has no clock.
    pub fn is_end_of_unknown_kind(&self) -> bool {
        self.verb == DnsmasqVerb::Del && self.length.is_some()
    }

    /// The event with this link, for an event whose link dnsmasq could not name.
    #[must_use]
    pub fn on_link(self, link: &str) -> Self {
        Self {
            interface: link.to_owned(),
            ..self
        }
    }

    /// `wall_offset` is how far the wall clock is ahead of the daemon's, in milliseconds.
    fn change(self, handed: Handed, now: Timestamp, wall_offset: i64) -> LeaseChange {
        let by_our_clock = |wall: Timestamp| Timestamp(wall.0.saturating_sub(wall_offset));
        // The event happened before now, whatever the hook's clock showed.
        let at = by_our_clock(self.at).min(now);
        let (verb, until) = match self.verb {
            DnsmasqVerb::Add | DnsmasqVerb::Old => (LeaseVerb::Hold, self.ends(at, by_our_clock)),
            DnsmasqVerb::Del if self.is_over() => (LeaseVerb::Expire, at),
            DnsmasqVerb::Del => (LeaseVerb::Release, at),
        };
        LeaseChange {
            verb,
            link: self.interface,
            duid: self.duid,
            iaid: self.iaid,
            leased: self.address.into(),
            next_hop: None,
            class: None,
            source: LeaseSource::Dnsmasq,
            // dnsmasq reports only the valid lifetime, so the preferred lifetime is the same.
            preferred_until: until,
            valid_until: until,
            // dnsmasq takes it from its neighbour table.
            granted_to: GrantedTo {
                link_layer: self.link_layer.clone(),
                ..GrantedTo::default()
            },
            link_layer: self.link_layer,
            hostname: self.hostname,
            at,
            replayed: handed == Handed::Spooled || self.verb == DnsmasqVerb::Old,
        }
    }

    /// When the lease ends. A remaining time since the hook's run is right whatever clock is set; a date is right only
    /// if nobody sets the clock.
    fn ends(&self, at: Timestamp, by_our_clock: impl Fn(Timestamp) -> Timestamp) -> Timestamp {
        // dnsmasq does not report a remaining time of zero seconds. Then the lease has less than its length left, and
        // its `del` follows.
        match (self.remaining.or(self.length), self.expires) {
            (Some(seconds), _) => at.plus(Duration::from_secs(seconds.into())),
            (None, Some(expires)) => by_our_clock(expires),
            (None, None) => Timestamp(i64::MAX),
        }
    }

    fn is_over(&self) -> bool {
        self.expires
            .is_some_and(|expires| expires <= self.at.plus(EXPIRY_SLACK))
    }
}

/// The way by which an event reached the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handed {
    /// From the hook, as it happened.
    Live,
    /// From the spool, some time later.
    Spooled,
}

fn is_hostname(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=LONGEST_HOSTNAME).contains(&name.len()) && name.bytes().all(known)
}

/// Cuts a stranger's text to a length that fits into a message.
fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests;
