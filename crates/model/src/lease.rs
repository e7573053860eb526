//! Leases, and their events.

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
    /// The client holds the lease until its valid lifetime ends.
    Active,
    /// The client released the lease. The daemon remembers it, so that the client gets the same one when it returns.
    Released,
    /// The valid lifetime ended. The daemon remembers the lease as if it had been released.
    Expired,
    /// The client found the address in use by another machine (RFC 9915, section 18.3.8). The daemon grants it to
    /// nobody until its quarantine ends, which is stored as the valid lifetime.
    Declined,
}

/// One address or prefix leased to one client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The bridge of its link.
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
    /// The next hop towards a delegated prefix: its client's link-local address. `None` for addresses, and when a relay
    /// agent routes the prefix.
    pub next_hop: Option<Ipv6Addr>,
    /// The client's place when the lease was last granted or extended, as far as the source knows it.
    #[serde(default)]
    pub granted_to: GrantedTo,
    /// When the preferred lifetime ends.
    pub preferred_until: Timestamp,
    /// When the valid lifetime ends unless the lease is renewed.
    pub valid_until: Timestamp,
    /// When it was granted.
    pub granted: Timestamp,
    /// When its last event came.
    pub changed: Timestamp,
}

/// The place of a client on its link when a lease was granted. Its packets can be recognized by it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedTo {
    /// The link-layer address that the client's message came from; for a relayed client the one that its relay agent
    /// supplied (RFC 6939), if any.
    pub link_layer: Option<LinkLayerAddress>,
    /// The link-local address that the client's message came from; for a relayed client the peer address of the relay
    /// agent next to it.
    pub link_local: Option<Ipv6Addr>,
    /// The bridge port on which the client's message arrived.
    pub port: Option<String>,
    /// The address that the relay agent next to the server sent from; `None` for a client without relay agents.
    #[serde(default)]
    pub relay: Option<Ipv6Addr>,
}

impl GrantedTo {
    /// Adds what an earlier message from the same link-local address and relay agent showed, and this one does not.
    pub fn complete(&mut self, earlier: Self) {
        if self.link_local == earlier.link_local && self.relay == earlier.relay {
            self.link_layer = self.link_layer.take().or(earlier.link_layer);
            self.port = self.port.take().or(earlier.port);
        }
    }
}

/// The kind of a lease event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeaseVerb {
    /// The client holds the lease from now on or for longer. The store finds out which.
    Hold,
    /// The client released it.
    Release,
    /// The source reports that its lifetime ended.
    Expire,
    /// The client declined the address.
    Decline,
    /// The quarantine of a declined address ends before its time.
    Lift,
}

/// An event of a lease, as its source reports it. All input from clients is turned into these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseChange {
    /// The kind of the event.
    pub verb: LeaseVerb,
    /// The bridge of the event.
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
    /// The next hop towards a delegated prefix: see [`Lease::next_hop`].
    #[serde(default)]
    pub next_hop: Option<Ipv6Addr>,
    /// The class of the client's message, if its link has classes.
    #[serde(default)]
    pub class: Option<String>,
    /// When the preferred lifetime ends. Used only if the verb is [`LeaseVerb::Hold`].
    pub preferred_until: Timestamp,
    /// When the valid lifetime ends. For [`LeaseVerb::Decline`]: when the quarantine ends.
    pub valid_until: Timestamp,
    /// The client's link-layer address, if the source knows it.
    pub link_layer: Option<LinkLayerAddress>,
    /// The place that the client's message came from; empty if the source does not see it.
    #[serde(default)]
    pub granted_to: GrantedTo,
    /// The client's host name, if it sent one.
    pub hostname: Option<String>,
    /// When it happened.
    pub at: Timestamp,
    /// Whether the event may be a repetition of an earlier one.
    ///
    /// A replayed event that is older than the lease's last event is dropped. A replayed `Hold` with the recorded
    /// lifetime does not count as a lease event of its client.
    pub replayed: bool,
}

/// The text is not a word of this enumeration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a known word")]
pub struct UnknownWord(pub String);

macro_rules! words {
    ($type:ty { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// The word for it in SQL and in the API.
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
