//! An event of dnsmasq: what it says, and what that means for the lease.

mod read;
mod written;

use std::fmt;
use std::net::Ipv6Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The form in which events are sent and kept: the API's.
use orchestrator_api_types::DnsmasqEvent as Written;
pub use orchestrator_api_types::DnsmasqVerb;
use orchestrator_model::{
    Clock, Duid, GrantedTo, Iaid, LeaseChange, LeaseSource, LeaseVerb, LinkLayerAddress, Timestamp,
};

/// Bytes of the longest domain name.
const LONGEST_HOSTNAME: usize = 253;

/// How far a `del` may precede the end of its lease and still be its expiry: dnsmasq counts in whole seconds.
pub(super) const EXPIRY_SLACK: Duration = Duration::from_secs(1);

/// A DHCPv6 lease event of dnsmasq.
///
/// In JSON it carries the version of its form, so that a daemon reads what an older hook left in the spool and says
/// so when it cannot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct DnsmasqEvent {
    /// What happened.
    pub verb: DnsmasqVerb,
    /// The client's DUID.
    pub duid: Duid,
    /// The client's identity association.
    pub iaid: Iaid,
    /// The leased address.
    pub address: Ipv6Addr,
    /// The interface the client is on: the link. Empty where dnsmasq cannot name it, because its bridge is not there
    /// yet or is gone; then the verb is not [`DnsmasqVerb::Add`].
    pub interface: String,
    /// When the lease ends, by dnsmasq's clock; `None` for a lease without end, and from a dnsmasq without a clock.
    pub expires: Option<Timestamp>,
    /// The remaining seconds of the lease; never given with [`DnsmasqVerb::Del`].
    pub remaining: Option<u32>,
    /// The seconds for which the lease was granted or last renewed. Only a dnsmasq without a clock (`HAVE_BROKEN_RTC`)
    /// gives it, also for leases that end.
    pub length: Option<u32>,
    /// The client's link-layer address, where dnsmasq has learnt it.
    pub link_layer: Option<LinkLayerAddress>,
    /// The name the client has, where it is a domain name.
    pub hostname: Option<String>,
    /// When the hook ran, by the wall clock.
    pub at: Timestamp,
}

/// The result of reading the arguments and the environment of a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// An event of a DHCPv6 lease.
    Event(Box<DnsmasqEvent>),
    /// Something that is no business of ours.
    Ignored(Ignored),
}

/// Why an event is no business of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ignored {
    /// dnsmasq starts.
    Init,
    /// A DHCPv4 lease.
    Dhcp4,
    /// A temporary address (IA_TA): its client has a lasting one besides.
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

/// What is wrong with an event of dnsmasq.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// An argument or variable is missing.
    #[error("dnsmasq gave no {0}; run this as its dhcp-script and not by hand")]
    Missing(&'static str),
    /// An argument or variable is not what it should be.
    #[error("dnsmasq gave {text:?} as {what}, which it is not; is this dnsmasq newer than we know?")]
    Unreadable {
        /// Which argument or variable.
        what: &'static str,
        /// What was given, cut to a readable length.
        text: String,
    },
    /// The event was written in a form that is not known here.
    #[error("the event has form {0}, and form 1 is the only one known here; update the daemon")]
    Version(u32),
}

impl DnsmasqEvent {
    /// The link that dnsmasq names, if it does.
    pub fn link(&self) -> Option<&str> {
        Some(self.interface.as_str()).filter(|name| !name.is_empty())
    }

    /// Whether dnsmasq will repeat this event: it has read the lease from its file and has not found the interface yet.
    /// It reports the lease again when the interface is there.
    pub fn is_premature(&self) -> bool {
        self.verb == DnsmasqVerb::Old && self.link().is_none()
    }

    /// The change to the lease, timed by the daemon's clock.
    ///
    /// `add` and `del` are new when the hook hands them over at once. `old` may be a renewal or a repetition, and an
    /// event of the spool may be out of date: both are marked as replayed.
    pub fn into_change(self, handed: Handed, clock: &Clock) -> LeaseChange {
        self.change(handed, clock.now(), clock.wall_offset())
    }

    /// Whether it is the end of a lease and does not say if the lease expired, because dnsmasq has no clock.
    pub fn is_end_of_unknown_kind(&self) -> bool {
        self.verb == DnsmasqVerb::Del && self.length.is_some()
    }

    /// The event with the link that its address is on, where dnsmasq could not name it.
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
        // The event happened before now, whatever the hook's clock said.
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
            // dnsmasq reports only the valid lifetime; its preferred lifetime is the same.
            preferred_until: until,
            valid_until: until,
            // dnsmasq finds it among its neighbours.
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

    /// A span since the hook ran holds whatever clock is set; the epoch holds only while nobody sets it.
    fn ends(&self, at: Timestamp, by_our_clock: impl Fn(Timestamp) -> Timestamp) -> Timestamp {
        // dnsmasq does not report a time of zero seconds. The lease has less than its length then, and its `del`
        // follows.
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

/// How an event came to the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handed {
    /// By the hook, as it happened.
    Live,
    /// By the spool, some time later.
    Spooled,
}

fn is_hostname(name: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=LONGEST_HOSTNAME).contains(&name.len()) && name.bytes().all(known)
}

/// A text of a stranger, cut to a length that is fit for a message.
fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests;
