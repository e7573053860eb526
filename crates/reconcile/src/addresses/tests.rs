use orchestrator_model::{Owner, Slot};
use proptest::prelude::*;

use super::*;

const NETWORK: &str = "br0";

fn range() -> Ipv6Net {
    "fd00::/123".parse().unwrap()
}

fn key(number: u32) -> SlotKey {
    SlotKey::new(Owner::Service("web".to_owned()), Slot::numbered(number))
}

fn reserve(addresses: &Addresses, number: u32) -> Option<Reserved> {
    addresses.reserve(NETWORK, range(), &key(number), None, &HashSet::new())
}

/// A network in which these are taken.
fn known(taken: &[Ipv6Addr]) -> Addresses {
    let addresses = Addresses::default();
    addresses.begin(NETWORK).unwrap().finish(taken.iter().copied());
    addresses
}

#[test]
fn a_network_is_read_once_and_nothing_is_given_before() {
    let addresses = Addresses::default();
    assert!(reserve(&addresses, 0).is_none());
    addresses.begin(NETWORK).unwrap().finish([]);
    assert!(addresses.begin(NETWORK).is_none());
    assert!(reserve(&addresses, 0).is_some());
    addresses.forget(NETWORK);
    assert!(reserve(&addresses, 0).is_none() && addresses.begin(NETWORK).is_some());
}

#[test]
fn what_is_reserved_is_given_to_nobody_else_until_it_is_dropped() {
    let addresses = known(&[]);
    let first = reserve(&addresses, 0).unwrap();
    let address = first.address();
    assert!(addresses.reserve_this(NETWORK, address).is_none());
    assert_ne!(reserve(&addresses, 0).unwrap().address(), address);
    drop(first);
    addresses.reserve_this(NETWORK, address).unwrap().keep();
    assert!(addresses.reserve_this(NETWORK, address).is_none());
    addresses.give_back(NETWORK, address);
    assert!(addresses.reserve_this(NETWORK, address).is_some());
}

#[test]
fn what_changes_while_a_network_is_read_is_not_lost() {
    let addresses = known(&[]);
    let kept = reserve(&addresses, 0).unwrap();
    let (kept_at, gone) = (kept.address(), "fd00::9".parse().unwrap());
    addresses.forget(NETWORK);
    let reading = addresses.begin(NETWORK).unwrap();
    let slower = addresses.begin(NETWORK).unwrap();
    // The instance at `gone` is removed after SQL was read.
    addresses.give_back(NETWORK, gone);
    reading.finish([gone, kept_at]);
    kept.keep();
    // The slower reading has seen an older state, which does not count.
    slower.finish([]);
    assert!(addresses.reserve_this(NETWORK, kept_at).is_none());
    assert!(addresses.reserve_this(NETWORK, gone).is_some());
}

#[test]
fn a_reading_from_before_the_network_was_forgotten_does_not_count() {
    let addresses = Addresses::default();
    let stale = addresses.begin(NETWORK).unwrap();
    addresses.forget(NETWORK);
    stale.finish([]);
    assert!(addresses.begin(NETWORK).is_some());
}

#[derive(Debug, Clone)]
enum Step {
    Reserve(u32),
    Keep(usize),
    Drop(usize),
    Remove(usize),
    Forget,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0u32..100).prop_map(Step::Reserve),
        3 => (0usize..8).prop_map(Step::Keep),
        1 => (0usize..8).prop_map(Step::Drop),
        2 => (0usize..32).prop_map(Step::Remove),
        1 => Just(Step::Forget),
    ];
    proptest::collection::vec(step, 0..200)
}

proptest! {
    /// However plans, removals and readings mix: what SQL has is never reserved again, nothing is reserved twice, and in
    /// the end as many addresses are free as SQL has room for.
    #[test]
    fn no_address_is_given_twice_and_none_is_lost(steps in steps()) {
        let addresses = Addresses::default();
        // What SQL has, under its unique index.
        let mut sql: Vec<Ipv6Addr> = Vec::new();
        let mut open: Vec<Reserved> = Vec::new();
        for step in steps {
            if let Some(reading) = addresses.begin(NETWORK) {
                reading.finish(sql.iter().copied());
            }
            match step {
                Step::Reserve(number) => {
                    if let Some(reserved) = reserve(&addresses, number) {
                        let address = reserved.address();
                        prop_assert!(!sql.contains(&address), "{} is in SQL", address);
                        open.push(reserved);
                    }
                }
                Step::Keep(nth) if nth < open.len() => {
                    let reserved = open.swap_remove(nth);
                    // The index has the last word: one that was reserved before the network was forgotten may be given again.
                    match sql.contains(&reserved.address()) {
                        true => addresses.forget(NETWORK),
                        false => {
                            sql.push(reserved.address());
                            reserved.keep();
                        }
                    }
                }
                Step::Drop(nth) if nth < open.len() => drop(open.swap_remove(nth)),
                Step::Remove(nth) if nth < sql.len() => addresses.give_back(NETWORK, sql.swap_remove(nth)),
                Step::Forget => addresses.forget(NETWORK),
                _ => {}
            }
        }
        open.clear();
        if let Some(reading) = addresses.begin(NETWORK) {
            reading.finish(sql.iter().copied());
        }
        let mut free = Vec::new();
        while let Some(reserved) = reserve(&addresses, 0) {
            free.push(reserved);
        }
        prop_assert_eq!(free.len() + sql.len(), 31);
    }
}
