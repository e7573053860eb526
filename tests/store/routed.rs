//! Which prefixes are routed, and prefixes in lists.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator::model::{LeaseChange, LeaseVerb};
use orchestrator::store::LeaseFilter;

use crate::on_both;
use crate::place::{LINK, Place, at, change};

on_both!(
    prefixes_are_routed_for_as_long_as_they_are_held,
    prefixes_are_listed_in_portions,
);

fn prefix(n: u16) -> Ipv6Net {
    format!("fd39:1:{n:x}::/64").parse().unwrap()
}

/// An event of the lease of a prefix, an hour long.
fn delegated(verb: LeaseVerb, n: u16, seconds: i64, next_hop: Option<Ipv6Addr>) -> LeaseChange {
    LeaseChange {
        leased: prefix(n).into(),
        next_hop,
        ..change(verb, n, seconds)
    }
}

async fn prefixes_are_routed_for_as_long_as_they_are_held(place: Place) {
    let store = place.open().await;
    let [one, two]: [Ipv6Addr; 2] = ["fe80::1", "fe80::2"].map(|text| text.parse().unwrap());
    let hold = |n, next_hop| delegated(LeaseVerb::Hold, n, 0, next_hop);
    let changes = vec![
        hold(1, Some(one)),
        hold(2, Some(one)),
        hold(3, None),
        change(LeaseVerb::Hold, 4, 0),
    ];
    store.record_leases(changes).await.unwrap();
    let routed = async |now| {
        let mut routed = store.routed_prefixes(LINK, now).await.unwrap();
        routed.sort();
        for n in 1..=3 {
            let single = store.routed_prefix(LINK, prefix(n), now).await.unwrap();
            let listed = routed.iter().find(|(routed, _)| *routed == prefix(n));
            assert_eq!(single, listed.map(|(_, next_hop)| *next_hop));
        }
        routed
    };
    assert_eq!(routed(at(1)).await, [(prefix(1), one), (prefix(2), one)]);
    // It renews from another address, and the other one leaves.
    let renewed = delegated(LeaseVerb::Hold, 1, 10, Some(two));
    let left = delegated(LeaseVerb::Release, 2, 10, None);
    store.record_leases(vec![renewed, left]).await.unwrap();
    assert_eq!(routed(at(11)).await, [(prefix(1), two)]);
    assert_eq!(store.routed_prefixes("br1", at(11)).await.unwrap(), []);
    assert_eq!(store.routed_links(at(11)).await.unwrap(), [LINK]);
    // Also before the clock has been told.
    assert_eq!(routed(at(3610)).await, []);
    assert_eq!(store.routed_links(at(3610)).await.unwrap(), Vec::<String>::new());
}

async fn prefixes_are_listed_in_portions(place: Place) {
    let store = place.open().await;
    let changes = (1..6).map(|n| delegated(LeaseVerb::Hold, n, 0, None)).collect();
    store.record_leases(changes).await.unwrap();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let filter = LeaseFilter {
            after,
            limit: Some(2),
            ..LeaseFilter::default()
        };
        let page = store.leases(filter).await.unwrap();
        seen.extend(page.items.into_iter().map(|view| view.lease.leased));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, (1..6).map(|n| prefix(n).into()).collect::<Vec<_>>());
}
