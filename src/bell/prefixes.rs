//! Rings for delegated prefixes: whoever keeps their routes looks again.

use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::sync::{Mutex, PoisonError};

use ipnet::Ipv6Net;
use tokio::sync::Notify;

/// Prefixes that are rung one by one. When nobody hears so many, everything is looked at again.
const MOST: usize = 4096;

/// What was rung for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prefixes {
    /// These may have changed hands, each of the link that it is of. Where nothing was told but that it is held by way of
    /// one router, that router.
    These(HashMap<(String, Ipv6Net), Option<Ipv6Addr>>),
    /// Any may have.
    All,
}

impl Default for Prefixes {
    fn default() -> Self {
        Self::These(HashMap::new())
    }
}

#[derive(Debug, Default)]
pub(super) struct PrefixRings {
    rung: Mutex<Prefixes>,
    heard: Notify,
}

impl PrefixRings {
    pub(super) fn ring(&self, link: &str, prefix: Ipv6Net, next_hop: Option<Ipv6Addr>) {
        self.change(|rung| {
            let Prefixes::These(these) = rung else { return };
            if these.len() == MOST {
                *rung = Prefixes::All;
                return;
            }
            these
                .entry((link.to_owned(), prefix))
                .and_modify(|known| *known = known.filter(|known| Some(*known) == next_hop))
                .or_insert(next_hop);
        });
    }

    pub(super) fn ring_all(&self) {
        self.change(|rung| *rung = Prefixes::All);
    }

    pub(super) async fn heard(&self) -> Prefixes {
        loop {
            let rung = std::mem::take(&mut *self.rung.lock().unwrap_or_else(PoisonError::into_inner));
            if rung != Prefixes::default() {
                return rung;
            }
            self.heard.notified().await;
        }
    }

    fn change(&self, change: impl FnOnce(&mut Prefixes)) {
        change(&mut self.rung.lock().unwrap_or_else(PoisonError::into_inner));
        self.heard.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(number: usize) -> Ipv6Net {
        format!("2001:db8:{number:x}::/48").parse().unwrap()
    }

    #[tokio::test]
    async fn rings_that_differ_say_no_more_than_that_something_changed() {
        let rings = PrefixRings::default();
        let [one, other]: [Ipv6Addr; 2] = ["fe80::1", "fe80::2"].map(|text| text.parse().unwrap());
        for (number, hops) in [
            (1, [Some(one), Some(one)]),
            (2, [Some(one), Some(other)]),
            (3, [Some(one), None]),
        ] {
            hops.into_iter().for_each(|hop| rings.ring("br0", prefix(number), hop));
        }
        let link = |number| ("br0".to_owned(), prefix(number));
        let expected = [(link(1), Some(one)), (link(2), None), (link(3), None)];
        assert_eq!(rings.heard().await, Prefixes::These(expected.into()));
    }

    #[tokio::test]
    async fn more_than_can_be_remembered_is_all() {
        let rings = PrefixRings::default();
        (0..=MOST).for_each(|number| rings.ring("br0", prefix(number), None));
        rings.ring("br0", prefix(1), None);
        assert_eq!(rings.heard().await, Prefixes::All);
        rings.ring("br0", prefix(1), None);
        assert_ne!(rings.heard().await, Prefixes::All);
    }
}
