//! The offers of servers, and the choice between them (RFC 9915, section 18.2.9).

use super::inbound::ServerMessage;
use super::settings::ClientSettings;
use crate::Duid;
use crate::leased::{Kind, Leased};

/// The largest number of offers that are kept.
const OFFERS: usize = 16;
/// The preference with which an offer is taken at once.
const AT_ONCE: u8 = 255;

/// The offer of one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) server: Duid,
    pub(super) preference: u8,
    pub(super) leased: Vec<Leased>,
}

/// The offers so far, the best one last.
#[derive(Debug, Clone, Default)]
pub(super) struct Offers(Vec<Offer>);

impl Offer {
    /// The offer in an Advertise, or `None` when it offers nothing that the client asked for.
    pub(super) fn read(message: &ServerMessage<'_>, settings: &ClientSettings) -> Option<Self> {
        let own = message
            .associations
            .iter()
            .filter(|granted| granted.iaid == settings.iaid);
        let wanted = own.filter(|granted| settings.wants.kinds().contains(&granted.kind));
        let valid = wanted
            .flat_map(|granted| &granted.leases)
            .filter(|lease| lease.valid > 0);
        let leased: Vec<Leased> = valid.map(|lease| lease.leased).collect();
        (!leased.is_empty()).then(|| Self {
            server: message.server.clone(),
            preference: message.preference,
            leased,
        })
    }

    /// Whether the client takes this offer without waiting for others.
    pub(super) fn is_taken_at_once(&self) -> bool {
        self.preference == AT_ONCE
    }

    /// The offered addresses or prefixes.
    pub(super) fn of(&self, kind: Kind) -> Vec<Leased> {
        self.leased
            .iter()
            .copied()
            .filter(|leased| leased.kind() == kind)
            .collect()
    }

    /// The rank of the offer: first the server's preference, then how much it offers of what the client asked for.
    fn rank(&self) -> (u8, usize) {
        let kinds = [Kind::Address, Kind::Prefix];
        let there = kinds.iter().filter(|kind| !self.of(**kind).is_empty());
        (self.preference, there.count())
    }
}

impl Offers {
    /// Adds an offer. A later offer of a server replaces its earlier one.
    pub(super) fn note(&mut self, offer: Offer) {
        self.0.retain(|known| known.server != offer.server);
        if self.0.len() == OFFERS {
            self.0.remove(0);
        }
        // After equally good ones: among equals, the first is best.
        let at = self.0.partition_point(|known| known.rank() < offer.rank());
        self.0.insert(at, offer);
    }

    /// Takes the best offer.
    pub(super) fn take_best(&mut self) -> Option<Offer> {
        self.0.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(server: u8, preference: u8, leased: &[&str]) -> Offer {
        Offer {
            server: Duid::new([0, 2, server]).unwrap(),
            preference,
            leased: leased.iter().map(|text| text.parse().unwrap()).collect(),
        }
    }

    #[test]
    fn the_preferred_comes_first_then_the_most_then_the_first() {
        let mut offers = Offers::default();
        for offer in [
            offer(1, 0, &["2001:db8::1"]),
            offer(2, 0, &["2001:db8::2", "2001:db8:1::/64"]),
            offer(3, 7, &["2001:db8::3"]),
            offer(4, 0, &["2001:db8::4"]),
            offer(1, 0, &["2001:db8::5"]),
        ] {
            offers.note(offer);
        }
        let order: Vec<u8> = std::iter::from_fn(|| offers.take_best())
            .map(|offer| offer.server.as_bytes()[2])
            .collect();
        assert_eq!(order, [3, 2, 4, 1]);
    }

    #[test]
    fn their_number_is_bounded() {
        let mut offers = Offers::default();
        (0..100).for_each(|server| offers.note(offer(server, server, &["2001:db8::1"])));
        assert_eq!(offers.0.len(), OFFERS);
        assert_eq!(offers.take_best().unwrap().preference, 99);
    }
}
