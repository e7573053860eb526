//! The place of a client: where on its link its messages come from.
//!
//! A DUID is a claim that anybody can repeat. So a lease records the place of the message that it was granted or
//! extended by, and a message about the lease is compared with it.

use std::fmt;
use std::net::Ipv6Addr;

/// Where a message came from. A field that is `None` is unknown, and is not compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Place {
    /// The client's link-local address; for a relayed client the peer address of the relay agent next to it.
    pub link_local: Option<Ipv6Addr>,
    /// The link-layer address of the frame, if the caller sees it; for a relayed client the one that the relay agent next
    /// to it supplies (RFC 6939), if it does.
    pub link_layer: Option<[u8; 6]>,
    /// The address that the relay agent next to the server sent from; `None` for a client without relay agents.
    pub relay: Option<Ipv6Addr>,
}

/// What the caller knows about the frame of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LinkLayerSource {
    /// The caller does not observe frames here.
    #[default]
    NotObserved,
    /// The caller observes frames, but not the one of this message: it was lost, or it is not clear which one it was.
    Missed,
    /// The link-layer address that the frame came from.
    Known([u8; 6]),
}

impl LinkLayerSource {
    /// The link-layer address, if it is known.
    pub const fn link_layer(self) -> Option<[u8; 6]> {
        match self {
            Self::Known(address) => Some(address),
            Self::NotObserved | Self::Missed => None,
        }
    }
}

impl Place {
    /// Whether anything is known about it.
    pub fn is_known(&self) -> bool {
        *self != Self::default()
    }

    /// Whether another place is certainly not this one. Nothing is elsewhere than a place that is not known.
    ///
    /// The bridge port is no part of a place, so that a client that is plugged into another port stays where it is.
    pub fn is_elsewhere(&self, other: &Self) -> bool {
        self.is_known()
            && (self.relay != other.relay
                || differ(self.link_local, other.link_local)
                || differ(self.link_layer, other.link_layer))
    }

    /// This place, with what is unknown about it taken from a former message from the same place.
    pub(crate) fn completed_by(self, former: &Self) -> Self {
        if former.is_elsewhere(&self) {
            return self;
        }
        Self {
            link_local: self.link_local.or(former.link_local),
            link_layer: self.link_layer.or(former.link_layer),
            relay: self.relay,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.link_local {
            Some(address) => write!(f, "{address}")?,
            None => f.write_str("an unknown address")?,
        }
        if let Some([a, b, c, d, e, g]) = self.link_layer {
            write!(f, " at {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")?;
        }
        match self.relay {
            Some(relay) => write!(f, " behind the relay agent {relay}"),
            None => Ok(()),
        }
    }
}

/// Whether both are known and are not the same.
fn differ<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one != other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(link_local: Option<&str>, link_layer: Option<u8>, relay: Option<&str>) -> Place {
        let address = |text: &str| text.parse().unwrap();
        Place {
            link_local: link_local.map(address),
            link_layer: link_layer.map(|last| [2, 0, 0, 0, 0, last]),
            relay: relay.map(address),
        }
    }

    #[test]
    fn only_what_both_places_show_is_compared() {
        let recorded = place(Some("fe80::1"), Some(1), None);
        for (other, elsewhere) in [
            (place(Some("fe80::1"), Some(1), None), false),
            (place(Some("fe80::1"), None, None), false),
            (place(None, Some(1), None), false),
            (Place::default(), false),
            (place(Some("fe80::2"), Some(1), None), true),
            (place(Some("fe80::1"), Some(2), None), true),
            (place(Some("fe80::2"), None, None), true),
            (place(Some("fe80::1"), None, Some("fe80::9")), true),
        ] {
            assert_eq!(recorded.is_elsewhere(&other), elsewhere, "{other:?}");
            assert!(!Place::default().is_elsewhere(&other), "nothing is recorded");
        }
    }

    #[test]
    fn a_relayed_client_is_known_by_its_relay_and_its_peer_address() {
        let recorded = place(Some("fe80::1"), None, Some("fe80::9"));
        assert!(!recorded.is_elsewhere(&place(Some("fe80::1"), None, Some("fe80::9"))));
        assert!(recorded.is_elsewhere(&place(Some("fe80::1"), None, Some("fe80::8"))));
        assert!(recorded.is_elsewhere(&place(Some("fe80::2"), None, Some("fe80::9"))));
        assert!(recorded.is_elsewhere(&place(Some("fe80::1"), Some(1), None)));
        let supplied = place(Some("fe80::1"), Some(1), Some("fe80::9"));
        assert!(!recorded.is_elsewhere(&supplied) && !supplied.is_elsewhere(&recorded));
        assert!(supplied.is_elsewhere(&place(Some("fe80::1"), Some(2), Some("fe80::9"))));
    }

    #[test]
    fn what_a_message_does_not_show_stays_recorded_unless_it_came_from_elsewhere() {
        let recorded = place(Some("fe80::1"), Some(1), None);
        assert_eq!(place(Some("fe80::1"), None, None).completed_by(&recorded), recorded);
        assert_eq!(Place::default().completed_by(&recorded), recorded);
        let moved = place(Some("fe80::2"), None, None);
        assert_eq!(moved.completed_by(&recorded), moved);
    }
}
