//! Notifications of delegated prefixes, for the route reconciler.

use std::collections::HashMap;
use std::net::Ipv6Addr;
use std::sync::{Mutex, PoisonError};

use ipnet::Ipv6Net;
use tokio::sync::Notify;

/// The number of pending prefixes that are kept one by one. Beyond this, the route reconciler compares all routes.
const MOST: usize = 4096;

/// The prefixes that a notification names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prefixes {
    /// These prefixes, each with its link, may have changed. The value is the router towards the prefix, if all
    /// notifications agree on one.
    These(HashMap<(String, Ipv6Net), Option<Ipv6Addr>>),
    /// Any prefix may have changed.
    All,
}

impl Default for Prefixes {
    fn default() -> Self {
        Self::These(HashMap::new())
    }
}

#[derive(Debug, Default)]
pub(super) struct PrefixNotifications {
    pending: Mutex<Prefixes>,
    wake: Notify,
}

impl PrefixNotifications {
    pub(super) fn notify(&self, link: &str, prefix: Ipv6Net, next_hop: Option<Ipv6Addr>) {
        self.change(|pending| {
            let Prefixes::These(these) = pending else { return };
            if these.len() == MOST {
                *pending = Prefixes::All;
                return;
            }
            these
                .entry((link.to_owned(), prefix))
                .and_modify(|known| *known = known.filter(|known| Some(*known) == next_hop))
                .or_insert(next_hop);
        });
    }

    pub(super) fn notify_all(&self) {
        self.change(|pending| *pending = Prefixes::All);
    }

    pub(super) async fn received(&self) -> Prefixes {
        loop {
            let pending = std::mem::take(&mut *self.pending.lock().unwrap_or_else(PoisonError::into_inner));
            if pending != Prefixes::default() {
                return pending;
            }
            self.wake.notified().await;
        }
    }

    fn change(&self, change: impl FnOnce(&mut Prefixes)) {
        change(&mut self.pending.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake.notify_one();
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
        let rings = PrefixNotifications::default();
        let [one, other]: [Ipv6Addr; 2] = ["fe80::1", "fe80::2"].map(|text| text.parse().unwrap());
        for (number, hops) in [
            (1, [Some(one), Some(one)]),
            (2, [Some(one), Some(other)]),
            (3, [Some(one), None]),
        ] {
            hops.into_iter()
                .for_each(|hop| rings.notify("br0", prefix(number), hop));
        }
        let link = |number| ("br0".to_owned(), prefix(number));
        let expected = [(link(1), Some(one)), (link(2), None), (link(3), None)];
        assert_eq!(rings.received().await, Prefixes::These(expected.into()));
    }

    #[tokio::test]
    async fn more_than_can_be_remembered_is_all() {
        let rings = PrefixNotifications::default();
        (0..=MOST).for_each(|number| rings.notify("br0", prefix(number), None));
        rings.notify("br0", prefix(1), None);
        assert_eq!(rings.received().await, Prefixes::All);
        rings.notify("br0", prefix(1), None);
        assert_ne!(rings.received().await, Prefixes::All);
    }
}
