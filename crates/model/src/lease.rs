//! Leases, and what can happen to one.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{ClientId, Duid, Iaid, Leased, LinkLayerAddress, Timestamp};

/// Where the events of a lease come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaseSource {
    /// The daemon's own DHCPv6 server.
    Listener,
    /// dnsmasq, through its `dhcp-script`.
    Dnsmasq,
    /// A host that formed its address itself and registered it with the daemon's DHCPv6 server (RFC 9686).
    Registration,
    /// A host that made its address itself and was seen on the link.
    Neighbor,
}

/// The state of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaseState {
    /// Held by its client until its valid lifetime ends.
    Active,
    /// Given back. Remembered, so that the client gets the same address when it returns.
    Released,
    /// Its valid lifetime ended. Remembered likewise.
    Expired,
    /// The client found the address in use by someone else (RFC 9915, section 18.3.8): given to nobody until its
    /// quarantine, kept as the valid lifetime, ends.
    Declined,
}

/// One address or prefix leased to one client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The bridge it is on.
    pub link: String,
    /// The address or the delegated prefix; in JSON under "address" or "prefix".
    #[serde(flatten)]
    pub leased: Leased,
    /// The client that holds it.
    pub client: ClientId,
    /// The client's DUID.
    pub duid: Duid,
    /// The client's identity association (RFC 9915, section 12).
    pub iaid: Iaid,
    /// Where its events come from.
    pub source: LeaseSource,
    /// Its state.
    pub state: LeaseState,
    /// The router towards a delegated prefix: its client's link-local address. `None` for addresses, and where a relay
    /// agent routes.
    pub next_hop: Option<Ipv6Addr>,
    /// Where on the link its client was when it was last granted or extended, as far as its source knows.
    #[serde(default)]
    pub granted_to: GrantedTo,
    /// When it stops being preferred.
    pub preferred_until: Timestamp,
    /// When the lease ends unless it is renewed.
    pub valid_until: Timestamp,
    /// When it was granted.
    pub granted: Timestamp,
    /// When its last event came.
    pub changed: Timestamp,
}

/// Where on its link a client is that a lease was granted to: what its packets may be known by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedTo {
    /// The link-layer address that the client's message came from.
    pub link_layer: Option<LinkLayerAddress>,
    /// The link-local address that the client's message came from.
    pub link_local: Option<Ipv6Addr>,
    /// The port of the bridge that the client's message came in by.
    pub port: Option<String>,
}

/// The kind of a lease event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaseVerb {
    /// The client holds it from now on, or holds it for longer: which of the two, the store finds out.
    Hold,
    /// The client gave it back.
    Release,
    /// Its source says that its lifetime ended.
    Expire,
    /// The client refused the address.
    Decline,
}

/// An event of a lease, as its source reports it. All input from clients ends as one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseChange {
    /// What happened.
    pub verb: LeaseVerb,
    /// The bridge it happened on.
    pub link: String,
    /// The client's DUID.
    pub duid: Duid,
    /// The client's identity association.
    pub iaid: Iaid,
    /// The leased address or prefix.
    #[serde(flatten)]
    pub leased: Leased,
    /// The lease source.
    pub source: LeaseSource,
    /// The router towards a delegated prefix: see [`Lease::next_hop`].
    #[serde(default)]
    pub next_hop: Option<Ipv6Addr>,
    /// The class that the client's message put it in, where its link has classes.
    #[serde(default)]
    pub class: Option<String>,
    /// When it stops being preferred; of no meaning unless the verb is [`LeaseVerb::Hold`].
    pub preferred_until: Timestamp,
    /// When the lease ends; when the quarantine ends if the verb is [`LeaseVerb::Decline`].
    pub valid_until: Timestamp,
    /// The client's link-layer address, where the source knows it.
    pub link_layer: Option<LinkLayerAddress>,
    /// Where the client's message came from; empty where the source does not see that.
    #[serde(default)]
    pub granted_to: GrantedTo,
    /// The name the client gave, where it gave one.
    pub hostname: Option<String>,
    /// When it happened.
    pub at: Timestamp,
    /// Whether the event may be a repetition of an earlier one.
    ///
    /// A replayed event that is older than the lease's last event is dropped. A replayed `Hold` with the recorded
    /// lifetime does not count as a lease event of its client.
    pub replayed: bool,
}

/// The text names no such thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of the words that are known here")]
pub struct UnknownWord(pub String);

macro_rules! words {
    ($type:ty { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// The word for it, in SQL and in the API.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }

        impl FromStr for $type {
            type Err = $crate::lease::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::lease::UnknownWord(text.to_owned())),
                }
            }
        }
    };
}
pub(super) use words;

words!(LeaseSource {
    Listener = "listener",
    Dnsmasq = "dnsmasq",
    Registration = "registration",
    Neighbor = "neighbor",
});
words!(LeaseState { Active = "active", Released = "released", Expired = "expired", Declined = "declined" });
