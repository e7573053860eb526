//! The reservations of a link, indexed by client and by address and prefix.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use dhcproto::v6::OptionCode;

use crate::class::Traits;
use crate::leased::Leased;
use crate::lengths::Lengths;
use crate::occupancy::Occupancy;
use crate::table::position;
use crate::{Duid, Holder, OpaqueId, Reservation};

/// The reservations of a link. No two have the same client identifier, and no two overlap.
#[derive(Debug, Clone, Default)]
pub struct Reservations {
    all: Vec<Reservation>,
    by_holder: HashMap<Holder, usize>,
    by_address: HashMap<Ipv6Addr, usize>,
    /// Reserved prefixes by their first address.
    by_prefix: HashMap<Ipv6Addr, usize>,
    lengths: Lengths,
    occupied: Occupancy,
    kinds: Kinds,
}

/// The kinds of identifier that reservations use, so that no others are looked up.
#[derive(Debug, Clone, Copy, Default)]
struct Kinds {
    link_layer: bool,
    remote_id: bool,
    interface_id: bool,
}

/// The reason why a reservation conflicts with the others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReservationConflict {
    /// Its client already has one.
    #[error("there is a reservation for {0} already")]
    Holder(Holder),
    /// The address or prefix is already reserved by another reservation.
    #[error("{what} is reserved for {holder}")]
    Leased {
        /// The address or prefix that both reserve, or the common part.
        what: Leased,
        /// The client of the other reservation.
        holder: Holder,
    },
}

impl Reservations {
    /// No reservations.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there are no reservations.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All reservations, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Reservation> {
        self.all.iter()
    }

    /// Adds a reservation.
    ///
    /// # Errors
    ///
    /// When it conflicts with another one; then nothing is changed.
    pub fn insert(&mut self, reservation: Reservation) -> Result<(), ReservationConflict> {
        if self.by_holder.contains_key(&reservation.holder) {
            return Err(ReservationConflict::Holder(reservation.holder));
        }
        for leased in reservation.leased() {
            if let Some((what, other)) = self.overlapping(leased).next() {
                let holder = other.holder.clone();
                return Err(ReservationConflict::Leased { what, holder });
            }
        }
        let index = self.all.len();
        match &reservation.holder {
            Holder::Duid(_) => {}
            Holder::LinkLayer(_) => self.kinds.link_layer = true,
            Holder::RemoteId { .. } => self.kinds.remote_id = true,
            Holder::InterfaceId(_) => self.kinds.interface_id = true,
        }
        self.by_holder.insert(reservation.holder.clone(), index);
        if let Some(address) = reservation.address {
            self.by_address.insert(address, index);
            self.occupied.insert(position(address.into()));
        }
        if let Some(prefix) = reservation.prefix {
            self.by_prefix.insert(prefix.network(), index);
            self.lengths.insert(prefix.trunc());
        }
        self.all.push(reservation);
        Ok(())
    }

    /// The reservation of this holder.
    pub(super) fn by_holder(&self, holder: &Holder) -> Option<&Reservation> {
        self.all.get(*self.by_holder.get(holder)?)
    }

    /// The reservation of a client.
    pub(crate) fn of(&self, client: &Duid, traits: &Traits<'_>) -> Option<&Reservation> {
        if self.is_empty() {
            return None;
        }
        let by = |holder| self.by_holder.get(&holder).and_then(|index| self.all.get(*index));
        let by_link_layer = || by(Holder::LinkLayer(traits.link_layer()?));
        let by_remote_id = || {
            let (enterprise, id) = traits.remote_id()?;
            let id = OpaqueId::new(id).ok()?;
            by(Holder::RemoteId { enterprise, id })
        };
        let by_interface_id = || {
            let id = traits.way.nearest(OptionCode::InterfaceId)?;
            by(Holder::InterfaceId(OpaqueId::new(id).ok()?))
        };
        by(Holder::Duid(client.clone()))
            .or_else(|| self.kinds.link_layer.then(by_link_layer).flatten())
            .or_else(|| self.kinds.remote_id.then(by_remote_id).flatten())
            .or_else(|| self.kinds.interface_id.then(by_interface_id).flatten())
    }

    /// The reserved addresses or prefixes of the same kind that overlap this one, each with its reservation.
    pub(crate) fn overlapping(&self, leased: Leased) -> impl Iterator<Item = (Leased, &Reservation)> {
        let address = leased.address().and_then(|address| self.by_address.get(&address));
        let firsts = leased.prefix().map(|prefix| self.lengths.overlapping(prefix));
        let prefixes = firsts
            .into_iter()
            .flatten()
            .filter_map(|first| self.by_prefix.get(&first));
        let kept = address
            .into_iter()
            .chain(prefixes)
            .filter_map(|index| self.all.get(*index));
        kept.filter_map(move |reservation| Some((reservation.of(leased.kind())?, reservation)))
    }

    /// Whether an address or prefix is reserved, as a whole or in part, and not as a whole by the client's own
    /// reservation.
    pub(crate) fn keeps_from(&self, own: Option<&Reservation>, leased: Leased) -> bool {
        !self.is_empty() && self.overlapping(leased).next().is_some() && !own.is_some_and(|own| own.keeps(leased))
    }

    /// The first address from this one on that is not reserved.
    pub(crate) fn next_open(&self, from: u128) -> Option<u128> {
        self.occupied.next_free(from, u128::MAX)
    }

    /// The last prefix of the same length within the reserved prefix that contains this one; itself if there is none.
    pub(crate) fn last_beside(&self, leased: Leased) -> Leased {
        let Some(prefix) = leased.prefix() else {
            return leased;
        };
        let around = self.overlapping(leased).filter_map(|(kept, _)| kept.prefix());
        let last = around
            .filter(|kept| kept.contains(&prefix))
            .map(|kept| kept.broadcast());
        let last = last
            .max()
            .and_then(|last| ipnet::Ipv6Net::new(last, prefix.prefix_len()).ok());
        last.map_or(leased, Leased::from)
    }
}
