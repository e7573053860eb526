//! A binding: what the server knows of one address or prefix, and of the client that has or had it.
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
//! ```
//!
//! A prefix goes the same way, but is never declined: clients decline addresses only (RFC 9915, section 18.2.8).
//! No sweep changes a binding when its time is over. Its state, and its end compared with the present time, say whether
//! it is held.

use std::net::Ipv6Addr;
use std::sync::Arc;

use crate::{Duid, Iaid, Leased, LinkLayerAddress};

/// What has become of a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BindingState {
    /// The client holds the address or prefix until the valid lifetime ends.
    Active,
    /// The client, or an admin, gave it back. Remembered, so that the client gets it again.
    Released,
    /// The valid lifetime ended, and someone has written that down. Remembered likewise.
    Expired,
    /// The client found the address in use (RFC 9915, section 18.3.8): nobody is given it until the quarantine,
    /// kept as the valid lifetime, ends.
    Declined,
}

/// One address or prefix, and the client that has or had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The client's DUID.
    pub duid: Duid,
    /// The client's identity association; those of addresses and of prefixes are numbered apart.
    pub iaid: Iaid,
    /// The address or prefix. A link has at most one binding of it.
    pub leased: Leased,
    /// What has become of it.
    pub state: BindingState,
    /// When it stops being preferred: milliseconds since 1970; [`i64::MAX`] is never.
    pub preferred_until: i64,
    /// When the lease or the quarantine ends, in milliseconds since 1970; [`i64::MAX`] is never.
    ///
    /// For a `Released` or `Expired` binding this is when it was released or expired. The oldest are reused first.
    pub valid_until: i64,
}

impl Binding {
    /// Whether its client holds the address or prefix at this time.
    pub fn is_held(&self, now: i64) -> bool {
        self.state == BindingState::Active && self.valid_until > now
    }

    /// Whether nobody may be given the address or prefix at this time but the client that holds it.
    pub fn is_taken(&self, now: i64) -> bool {
        matches!(self.state, BindingState::Active | BindingState::Declined) && self.valid_until > now
    }

    /// Whether it is for this identity association of this client.
    pub(crate) fn is_for(&self, duid: &[u8], iaid: Iaid) -> bool {
        self.iaid == iaid && self.duid.as_bytes() == duid
    }

    /// The same binding, ended now.
    fn ended(&self, state: BindingState, now: i64, until: i64) -> Self {
        Self {
            state,
            preferred_until: now,
            valid_until: until,
            ..self.clone()
        }
    }
}

/// What a change does to a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// The client holds an address or prefix that it did not hold.
    Grant,
    /// The client holds what it has for longer.
    Renew,
    /// The client holds what it had no longer.
    Release,
    /// The client refused its address.
    Decline,
    /// The client has an address that it made itself (RFC 9686), or has it for longer.
    Register,
    /// The client has such an address no longer.
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
            Self::Register => "register",
            Self::Deregister => "deregister",
        }
    }
}

/// A change of one binding, to be made durable before the answer that it belongs to is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it does.
    pub verb: Verb,
    /// The binding that the same address, or a prefix with the same first address, had before, whoever's it was.
    /// Of a registration also one of another address, which it takes the place of.
    pub before: Option<Binding>,
    /// The binding as it is to be.
    pub after: Binding,
    /// The client's link-layer address, if its message contains one.
    pub link_layer: Option<LinkLayerAddress>,
    /// The first label of the client's name (RFC 4704), where it gave one that a host may have.
    pub hostname: Option<String>,
    /// The class that the client's message put it in, where its link has classes.
    pub class: Option<Arc<str>>,
    /// The next hop towards a prefix that is granted or renewed.
    ///
    /// It is the client's link-local address. If the client is on another link, behind a relay agent, it is the relay
    /// agent's address (RFC 8987). It is `None` when that relay agent is not on our link: then the network in between
    /// must route.
    pub next_hop: Option<Ipv6Addr>,
    /// The link-local address that the client asked from, if the address or prefix is reserved for it and is granted or
    /// renewed.
    ///
    /// It identifies the client's interface again when it asks with another IAID.
    pub holder: Option<Ipv6Addr>,
    /// The link-local address that the client's message came from, as the relay next to it has it; nothing where the
    /// client sent from another address.
    pub link_local: Option<Ipv6Addr>,
}

impl Change {
    /// The end of a lease by its client or by an admin.
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
            holder: None,
            link_local: None,
        }
    }

    /// The refusal of an address, which is in quarantine until `until`.
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
            holder: None,
            link_local: None,
        }
    }
}
