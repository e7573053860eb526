//! The clients whose next answer differs when the reservations change.

use std::collections::{BTreeSet, HashMap};

use crate::{Binding, Bindings, Duid, Holder, LinkLayerAddress, Reservation, Reservations};

/// The largest number of clients that are returned. Others find out when they renew, after half their lifetime.
const MOST: usize = 256;

impl Reservations {
    /// The clients that would lose what they hold, or get something else, when these reservations replace others.
    ///
    /// A client that is identified by its relay agent is found only if it holds what is reserved, because what relay
    /// agents say is not stored.
    pub fn concerned(&self, before: &Self, bindings: &Bindings, now: i64) -> BTreeSet<Duid> {
        let gained: Vec<&Reservation> = self.differing(before).collect();
        let lost = before.differing(self).flat_map(|old| bindings.in_place_of(old));
        let others = gained.iter().flat_map(|new| bindings.of_others(new));
        let own = gained.iter().flat_map(|new| bindings.of_duid(new));
        let held = lost.chain(others).chain(own).chain(bindings.of_link_layers(&gained));
        let mut concerned = BTreeSet::new();
        for binding in held.filter(|binding| binding.is_held(now)) {
            concerned.insert(binding.duid.clone());
            if concerned.len() == MOST {
                break;
            }
        }
        concerned
    }

    /// The reservations of this set that differ in the other.
    fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a Reservation> {
        let is_there = |reservation: &Reservation| other.by_holder(&reservation.holder) == Some(reservation);
        self.iter().filter(move |reservation| !is_there(reservation))
    }
}

impl Bindings {
    /// The bindings that overlap a reservation.
    fn in_place_of<'a>(&'a self, reservation: &'a Reservation) -> impl Iterator<Item = &'a Binding> {
        reservation.leased().flat_map(|leased| {
            let others = leased.prefix().map(|prefix| self.overlapping(prefix));
            self.at(leased).into_iter().chain(others.into_iter().flatten())
        })
    }

    /// The bindings that overlap a reservation and are not known to be of its client.
    fn of_others<'a>(&'a self, reservation: &'a Reservation) -> impl Iterator<Item = &'a Binding> {
        let is_own = |binding: &Binding| matches!(&reservation.holder, Holder::Duid(duid) if *duid == binding.duid);
        self.in_place_of(reservation).filter(move |binding| !is_own(binding))
    }

    /// The bindings that the client of a reservation by DUID has instead of the reserved address or prefix.
    fn of_duid<'a>(&'a self, reservation: &'a Reservation) -> impl Iterator<Item = &'a Binding> {
        let duid = match &reservation.holder {
            Holder::Duid(duid) => Some(duid),
            _ => None,
        };
        let own = duid.into_iter().flat_map(|duid| self.of_client(duid));
        own.filter(|binding| is_unlike(binding, reservation))
    }

    /// The bindings that the clients of reservations by link-layer address have instead. This reads every binding once
    /// for all of these reservations.
    fn of_link_layers<'a>(&'a self, reservations: &[&'a Reservation]) -> impl Iterator<Item = &'a Binding> {
        let by_address = reservations.iter().filter_map(|reservation| match &reservation.holder {
            Holder::LinkLayer(address) => Some((address.clone(), *reservation)),
            _ => None,
        });
        let by_address: HashMap<LinkLayerAddress, &Reservation> = by_address.collect();
        let all = (!by_address.is_empty()).then(|| self.iter());
        all.into_iter().flatten().filter(move |binding| {
            let own = binding.duid.link_layer().and_then(|address| by_address.get(&address));
            own.is_some_and(|own| is_unlike(binding, own))
        })
    }
}

/// Whether a binding is of the same kind as the reservation, but another address or prefix.
fn is_unlike(binding: &Binding, reservation: &Reservation) -> bool {
    let wanted = reservation.of(binding.leased.kind());
    wanted.is_some_and(|wanted| wanted != binding.leased)
}
