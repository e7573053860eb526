//! The bindings of one kind on one link, of addresses or of prefixes, indexed by first address and by client.
//!
//! A first address has at most one binding. A client has one for each active identity association, and remembered ones:
//! those that it released or declined, or that a change of the pool ended. The indexes contain only numbers: the index
//! of a binding in `slots` stands for it in the maps, and the bindings of a client are a chain through the slots.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::net::Ipv6Addr;

use crate::binding::{Binding, BindingState};
use crate::leased::Leased;
use crate::occupancy::Occupancy;
use crate::{Duid, Iaid};

/// Ends a chain.
const NONE: u32 = u32::MAX;

/// The number of bits that [`position`] keeps of a prefix. No delegated prefix is longer.
const LONGEST: u8 = 119;

/// The bindings of one kind on one link.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    slots: Vec<Option<Slot>>,
    /// Empty slots.
    vacant: Vec<u32>,
    /// Slots by first address.
    firsts: HashMap<Ipv6Addr, u32>,
    /// The first slot of each client's chain.
    clients: HashMap<Duid, u32>,
    /// All bindings by their end. Those that were ended come before those whose time ends.
    ends: BTreeSet<(End, u32)>,
    /// The taken [`position`]s.
    occupancy: Occupancy,
}

/// A number for each possible lease: addresses are their own numbers, and prefixes of one length are consecutive.
pub(crate) fn position(leased: Leased) -> u128 {
    match leased {
        Leased::Address(address) => address.into(),
        Leased::Prefix(prefix) => {
            let length = prefix.prefix_len().min(LONGEST);
            let number = u128::from(prefix.network()).checked_shr(u32::from(128 - length));
            u128::from(length) << LONGEST | number.unwrap_or(0)
        }
    }
}

#[derive(Debug, Clone)]
struct Slot {
    binding: Binding,
    /// The next slot of the same client.
    next: u32,
}

/// The way and time at which a binding ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Ended(i64),
    Ends(i64),
}

impl End {
    fn of(binding: &Binding) -> Self {
        match binding.state {
            BindingState::Released | BindingState::Expired => Self::Ended(binding.valid_until),
            BindingState::Active | BindingState::Declined => Self::Ends(binding.valid_until),
        }
    }

    fn at(self) -> i64 {
        match self {
            Self::Ended(at) | Self::Ends(at) => at,
        }
    }
}

impl Table {
    /// The number of bindings, including those that are only remembered.
    pub(crate) fn len(&self) -> usize {
        self.firsts.len()
    }

    /// Reserves memory for so many further bindings.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.slots.reserve_exact(count);
        self.firsts.reserve(count);
        self.clients.reserve(count);
    }

    /// Adds a recorded binding. It replaces the one with the same first address.
    pub(crate) fn load(&mut self, binding: Binding) {
        if let Err(binding) = self.update(binding) {
            self.remove(binding.leased.first());
            self.insert(binding);
        }
    }

    /// The binding with this first address.
    pub(crate) fn at(&self, first: Ipv6Addr) -> Option<&Binding> {
        self.slot(*self.firsts.get(&first)?).map(|slot| &slot.binding)
    }

    /// All bindings, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Binding> {
        self.slots.iter().flatten().map(|slot| &slot.binding)
    }

    /// The binding of a client's identity association: the active one, or else the last one that was not declined.
    pub(crate) fn of_association(&self, duid: &[u8], iaid: Iaid) -> Option<&Binding> {
        self.chain(duid)
            .filter(|binding| binding.iaid == iaid && binding.state != BindingState::Declined)
            .max_by_key(|binding| {
                (
                    binding.state == BindingState::Active,
                    binding.valid_until,
                    binding.leased,
                )
            })
    }

    /// All bindings of a client, in no order.
    pub(crate) fn chain<'a>(&'a self, duid: &[u8]) -> impl Iterator<Item = &'a Binding> + use<'a> {
        let mut next = self.clients.get(duid).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            let slot = self.slot(next)?;
            next = slot.next;
            Some(&slot.binding)
        })
    }

    /// Bindings that are not held any more; those that ended first come first.
    pub(crate) fn remembered(&self, now: i64) -> impl Iterator<Item = &Binding> {
        let mut ended = self.ends.range(..(End::Ends(i64::MIN), 0)).peekable();
        let mut run_out = self
            .ends
            .range((End::Ends(i64::MIN), 0)..=(End::Ends(now), NONE))
            .peekable();
        std::iter::from_fn(move || {
            let run_out_first = match (ended.peek(), run_out.peek()) {
                (Some((ended, _)), Some((run_out, _))) => run_out.at() < ended.at(),
                (ended, _) => ended.is_none(),
            };
            if run_out_first { run_out.next() } else { ended.next() }
        })
        .filter_map(|(_, index)| self.slot(*index))
        .map(|slot| &slot.binding)
    }

    /// Up to `count` adjacent bindings that are not held any more, in no order. `place` is any number.
    pub(crate) fn remembered_at(&self, place: usize, count: usize, now: i64) -> impl Iterator<Item = &Binding> {
        let begin = place.checked_rem(self.slots.len()).unwrap_or(0);
        let (before, behind) = self.slots.split_at(begin);
        let around = behind.iter().chain(before).take(count).flatten();
        around
            .map(|slot| &slot.binding)
            .filter(move |binding| !binding.is_taken(now))
    }

    /// The lowest [`position`] from `from` to `last` without a binding.
    pub(crate) fn next_vacant(&self, from: u128, last: u128) -> Option<u128> {
        self.occupancy.next_free(from, last)
    }

    fn slot(&self, index: u32) -> Option<&Slot> {
        self.slots.get(index as usize)?.as_ref()
    }

    /// Replaces a binding by one of the same lease and client.
    ///
    /// # Errors
    ///
    /// The binding, if there is none to replace.
    fn update(&mut self, binding: Binding) -> Result<(), Binding> {
        let Some(index) = self.firsts.get(&binding.leased.first()).copied() else {
            return Err(binding);
        };
        let known = self
            .slots
            .get_mut(index as usize)
            .and_then(Option::as_mut)
            .map(|slot| &mut slot.binding);
        let Some(known) = known.filter(|known| known.leased == binding.leased && known.duid == binding.duid) else {
            return Err(binding);
        };
        self.ends.remove(&(End::of(known), index));
        self.ends.insert((End::of(&binding), index));
        *known = Binding {
            duid: known.duid.clone(),
            ..binding
        };
        Ok(())
    }

    /// Adds a binding whose first address has none.
    fn insert(&mut self, binding: Binding) {
        let index = self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        });
        self.firsts.insert(binding.leased.first(), index);
        self.occupancy.insert(position(binding.leased));
        self.ends.insert((End::of(&binding), index));
        let (duid, next) = match self.clients.entry(binding.duid.clone()) {
            // Share the bytes of the DUID with the client's other bindings.
            Entry::Occupied(mut known) => (known.key().clone(), known.insert(index)),
            Entry::Vacant(new) => {
                new.insert(index);
                (binding.duid.clone(), NONE)
            }
        };
        self.slots[index as usize] = Some(Slot {
            binding: Binding { duid, ..binding },
            next,
        });
    }

    /// Removes the binding with this first address.
    pub(crate) fn remove(&mut self, first: Ipv6Addr) {
        let Some(index) = self.firsts.remove(&first) else {
            return;
        };
        let Some(slot) = self.slots[index as usize].take() else {
            return;
        };
        self.vacant.push(index);
        self.occupancy.remove(position(slot.binding.leased));
        self.ends.remove(&(End::of(&slot.binding), index));
        self.unchain(&slot.binding.duid, index, slot.next);
    }

    /// Removes a slot from its client's chain.
    fn unchain(&mut self, duid: &Duid, index: u32, next: u32) {
        let Some(first) = self.clients.get_mut(duid) else {
            return;
        };
        if *first == index {
            if next == NONE {
                self.clients.remove(duid);
            } else {
                *first = next;
            }
            return;
        }
        let mut at = *first;
        while let Some(slot) = self.slots.get_mut(at as usize).and_then(Option::as_mut) {
            if slot.next == index {
                slot.next = next;
                return;
            }
            at = slot.next;
        }
    }
}
