//! Taken addresses as runs of neighbours. The first free address after any other is found by two lookups in a tree,
//! however many are taken.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

/// A set of addresses. Each run is as long as it can be: the addresses before and after it are not in the set.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Runs {
    /// The first address of each run, with the last.
    runs: BTreeMap<u128, u128>,
    /// The number of lookups since this was created.
    #[cfg(test)]
    looks: std::cell::Cell<usize>,
}

impl Runs {
    /// Whether an address is in the set.
    pub(super) fn contains(&self, address: Ipv6Addr) -> bool {
        self.run_of(u128::from(address)).is_some()
    }

    /// Adds an address; `false` if it is there already.
    pub(super) fn insert(&mut self, address: Ipv6Addr) -> bool {
        let address = u128::from(address);
        if self.run_of(address).is_some() {
            return false;
        }
        let before = address.checked_sub(1).and_then(|before| self.run_of(before));
        let after = address.checked_add(1).and_then(|after| self.run_of(after));
        let first = before.map_or(address, |(first, _)| first);
        let last = after.map_or(address, |(_, last)| last);
        if let Some((first_after, _)) = after {
            self.runs.remove(&first_after);
        }
        self.runs.insert(first, last);
        true
    }

    /// Takes an address out; `false` if it is not there.
    pub(super) fn remove(&mut self, address: Ipv6Addr) -> bool {
        let address = u128::from(address);
        let Some((first, last)) = self.run_of(address) else {
            return false;
        };
        if first == address {
            self.runs.remove(&first);
        } else {
            self.runs.insert(first, address - 1);
        }
        if address < last {
            self.runs.insert(address + 1, last);
        }
        true
    }

    /// The first address from `from` to `to` that is not in the set.
    pub(super) fn first_free(&self, from: Ipv6Addr, to: Ipv6Addr) -> Option<Ipv6Addr> {
        let free = match self.run_of(u128::from(from)) {
            None => from,
            // The address after a run is in no other run.
            Some((_, last)) => Ipv6Addr::from(last.checked_add(1)?),
        };
        (free <= to).then_some(free)
    }

    /// The run that an address is in, as its first and last address.
    fn run_of(&self, address: u128) -> Option<(u128, u128)> {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        let (first, last) = self.runs.range(..=address).next_back()?;
        (address <= *last).then_some((*first, *last))
    }
}

impl FromIterator<Ipv6Addr> for Runs {
    fn from_iter<I: IntoIterator<Item = Ipv6Addr>>(addresses: I) -> Self {
        let mut runs = Self::default();
        for address in addresses {
            runs.insert(address);
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    impl Runs {
        fn looks_of<T>(&self, work: impl FnOnce(&Self) -> T) -> (T, usize) {
            let before = self.looks.get();
            let done = work(self);
            (done, self.looks.get() - before)
        }
    }

    fn address(number: u32) -> Ipv6Addr {
        Ipv6Addr::from((0xfd39_u128 << 112) + u128::from(number))
    }

    proptest! {
        /// It answers as a plain set does, and its runs never touch.
        #[test]
        fn runs_are_a_set(changes in proptest::collection::vec((any::<bool>(), 0u32..40), 0..200), from in 0u32..40) {
            let (mut runs, mut set) = (Runs::default(), BTreeSet::new());
            for (adds, number) in changes {
                match adds {
                    true => prop_assert_eq!(runs.insert(address(number)), set.insert(number)),
                    false => prop_assert_eq!(runs.remove(address(number)), set.remove(&number)),
                }
                let ends: Vec<(u128, u128)> = runs.runs.iter().map(|(first, last)| (*first, *last)).collect();
                prop_assert!(ends.iter().all(|(first, last)| first <= last));
                prop_assert!(ends.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{:?}", ends);
            }
            for number in 0..40 {
                prop_assert_eq!(runs.contains(address(number)), set.contains(&number));
            }
            let free = (from..40).find(|number| !set.contains(number)).map(address);
            prop_assert_eq!(runs.first_free(address(from), address(39)), free);
        }
    }

    #[test]
    fn the_ends_of_all_addresses_are_no_trap() {
        let (first, last) = (Ipv6Addr::from(0), Ipv6Addr::from(u128::MAX));
        let mut runs: Runs = [first, last].into_iter().collect();
        assert_eq!(runs.first_free(last, last), None);
        assert!(runs.remove(first) && runs.remove(last) && !runs.remove(last));
        assert_eq!(
            runs,
            Runs {
                looks: runs.looks.clone(),
                ..Runs::default()
            }
        );
    }

    #[test]
    fn a_step_is_the_same_with_a_hundred_thousand_taken_as_with_one() {
        // The worst case: no two are neighbours, so that there are as many runs as addresses.
        let mut runs: Runs = (0..100_000).map(|number| address(number * 2)).collect();
        assert_eq!(runs.runs.len(), 100_000);
        for from in [0, 50_000, 199_998] {
            let (free, looks) = runs.looks_of(|runs| runs.first_free(address(from), address(300_000)));
            assert_eq!((free, looks), (Some(address(from + 1)), 1));
        }
        let before = runs.looks.get();
        assert!(runs.insert(address(77_777)) && runs.remove(address(77_777)));
        assert!(runs.looks.get() - before <= 4);
        // And the other: all are neighbours.
        let runs: Runs = (0..100_000).map(address).collect();
        assert_eq!(runs.runs.len(), 1);
        assert_eq!(
            runs.looks_of(|runs| runs.first_free(address(0), address(300_000))),
            (Some(address(100_000)), 1)
        );
    }
}
