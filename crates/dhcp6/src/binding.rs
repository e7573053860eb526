//! A binding: the server's record of one address or prefix, with the client that has or had it.
//!
//! ```text
//!              grant              valid lifetime over
//!   (nothing) ───────▶ Active ─────────────────────────▶ (Active, but in the past: Expired)
//!                      │ ▲ │ renew ▲                                │
//!              release │ │ └───────┘                                │ grant, to the same client or,
//!                      ▼ │ grant                                    │ when no other address is left,
//!                   Released ◀──────────────────────────────────────┘ to another
//!
//!   Active ──decline──▶ Declined ──quarantine over──▶ as free as one that is Released
//!                          └──────────lift──────────▶ the same
//! ```
//!
//! A prefix goes the same way, but is never declined: clients decline addresses only (RFC 9915, section 18.2.8).
//! No sweep changes a binding when its time is over. Its state and its end, compared with the present time, show
//! whether it is held.

use std::net::Ipv6Addr;
use std::sync::Arc;

use crate::{Duid, Iaid, Leased, LinkLayerAddress, Place};

/// The state of a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BindingState {
    /// The client holds the address or prefix until the valid lifetime ends.
    Active,
    /// The client or an admin released it. The server remembers it, so that the client gets it again.
    Released,
    /// The valid lifetime ended, and this was recorded. The server remembers it as if it had been released.
    Expired,
    /// The client found the address in use (RFC 9915, section 18.3.8). The server grants it to nobody until the
    /// quarantine ends, which is stored as the valid lifetime.
    Declined,
}

/// One address or prefix, and the client that has or had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The client's DUID.
    pub duid: Duid,
    /// The client's identity association. Those of addresses and of prefixes have separate numbers.
    pub iaid: Iaid,
    /// The address or prefix. A link has at most one binding of it.
    pub leased: Leased,
    /// The state of the binding.
    pub state: BindingState,
    /// When the preferred lifetime ends, in milliseconds since 1970; [`i64::MAX`] means never.
    pub preferred_until: i64,
    /// When the lease or the quarantine ends, in milliseconds since 1970; [`i64::MAX`] means never.
    ///
    /// For a `Released` or `Expired` binding this is when it was released or expired. The oldest are reused first.
    pub valid_until: i64,
    /// Where the message came from by which it was last granted or extended.
    pub place: Place,
}

impl Binding {
    /// Whether its client holds the address or prefix at this time.
    pub fn is_held(&self, now: i64) -> bool {
        self.state == BindingState::Active && self.valid_until > now
    }

    /// Whether the address or prefix may be granted to no other client at this time.
    pub fn is_taken(&self, now: i64) -> bool {
        matches!(self.state, BindingState::Active | BindingState::Declined) && self.valid_until > now
    }

    /// Whether it is for this identity association of this client.
    pub(crate) fn is_for(&self, duid: &[u8], iaid: Iaid) -> bool {
        self.iaid == iaid && self.duid.as_bytes() == duid
    }

    /// The same binding, which ends now.
    fn ended(&self, state: BindingState, now: i64, until: i64) -> Self {
        Self {
            state,
            preferred_until: now,
            valid_until: until,
            ..self.clone()
        }
    }
}

/// The effect of a change on a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// The client holds an address or prefix that it did not hold.
    Grant,
    /// The client holds its address or prefix for longer.
    Renew,
    /// The client does not hold its address or prefix any more.
    Release,
    /// The client declined its address.
    Decline,
    /// The quarantine of a declined address ends before its time.
    Lift,
    /// The client registered or extended an address that it formed itself (RFC 9686).
    Register,
    /// The client ended such a registration.
    Deregister,
}

impl Verb {
    /// The word for it, for counters and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Renew => "renew",
            Self::Release => "release",
            Self::Decline => "decline",
            Self::Lift => "lift",
            Self::Register => "register",
            Self::Deregister => "deregister",
        }
    }
}

/// A change of one binding. It must be durable before its answer is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The effect of the change.
    pub verb: Verb,
    /// The binding that the same address, or a prefix with the same first address, had before, of any client. For a
    /// registration, this may also be the binding of another address, which the new one replaces.
    pub before: Option<Binding>,
    /// The binding after the change.
    pub after: Binding,
    /// The client's link-layer address, if its message contains one.
    pub link_layer: Option<LinkLayerAddress>,
    /// The first label of the client's name (RFC 4704), if it is valid for a host.
    pub hostname: Option<String>,
    /// The class of the client's message, if its link has classes.
    pub class: Option<Arc<str>>,
    /// The next hop towards a prefix that is granted or renewed.
    ///
    /// It is the client's link-local address. If the client is on another link, behind a relay agent, it is the relay
    /// agent's address (RFC 8987). It is `None` if that relay agent is not on this link: then the network in between
    /// must route.
    pub next_hop: Option<Ipv6Addr>,
}

impl Change {
    /// The change when a client or an admin releases a lease.
    pub(crate) fn release(binding: &Binding, now: i64) -> Self {
        let after = binding.ended(BindingState::Released, now, now);
        Self {
            verb: Verb::Release,
            before: Some(binding.clone()),
            after,
            link_layer: None,
            hostname: None,
            class: None,
            next_hop: None,
        }
    }

    /// The change when the quarantine of a declined address ends before its time.
    pub(crate) fn lift(binding: &Binding, now: i64) -> Self {
        Self {
            verb: Verb::Lift,
            // Not as if it had been released: its client should not get it again before any other address.
            after: binding.ended(BindingState::Declined, now, now),
            ..Self::release(binding, now)
        }
    }

    /// The change when a client declines an address, which is in quarantine until `until`.
    pub(crate) fn decline(binding: &Binding, now: i64, until: i64) -> Self {
        let after = binding.ended(BindingState::Declined, now, until);
        Self {
            verb: Verb::Decline,
            before: Some(binding.clone()),
            after,
            link_layer: None,
            hostname: None,
            class: None,
            next_hop: None,
        }
    }
}
