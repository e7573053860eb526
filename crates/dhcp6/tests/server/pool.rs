//! Which address: rows 24, 28 and 29, stability, and pools nearly and wholly full.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use orchestrator_dhcp6::{Binding, BindingState, Bindings, Duid, Iaid, Leased, Order, Pool, Server};
use orchestrator_wire::*;

use crate::lab::{HOUR, Lab, address, client, server_id};

#[test]
fn row_28_reserved_identifiers_are_never_assigned() {
    for pool in [
        "2001:db8:0:1::/120",
        "2001:db8:0:1:ffff:ffff:ffff:ff00/120",
        "2001:db8:0:1:fdff:ffff:ffff:ff00/120",
    ] {
        let mut lab = Lab::with_pool(pool);
        let highest = lab.link.pool.last();
        let mut leased = BTreeSet::new();
        for client in 0..=255u8 {
            let option = [option(CLIENT_ID, &[0, 2, client]), server_id(), ia_na(1, &[highest])];
            leased.extend(
                lab.say(REQUEST, &option)
                    .only_ia()
                    .addresses
                    .first()
                    .map(|lease| lease.ip),
            );
        }
        let free: BTreeSet<Ipv6Addr> = match pool {
            "2001:db8:0:1::/120" => (2..256u32)
                .map(|low| u128::from(low) + (0x2001_0db8_0000_0001 << 64))
                .collect::<Vec<_>>(),
            _ => (0..128).map(|low| u128::from(lab.link.pool.first()) + low).collect(),
        }
        .into_iter()
        .map(Ipv6Addr::from)
        .collect();
        assert_eq!(leased, free, "{pool}");
    }
}

#[test]
fn row_28_a_pool_may_be_wholly_reserved() {
    let mut lab = Lab::with_pool("2001:db8:0:1:200:5eff:fe00:0/104");
    assert_eq!(
        lab.say(SOLICIT, &[client(1), ia_na(1, &[])]).only_ia().status,
        Some(NO_ADDRS_AVAIL)
    );
}

#[test]
fn row_29_addresses_are_not_predictable() {
    let mut lab = Lab::new();
    let leased: Vec<Ipv6Addr> = (1..=20).map(|client| lab.lease(client)).collect();
    let in_order = leased.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((3..17).contains(&in_order), "{leased:?}");
    let mut other = Lab::new();
    other.server = Server::new(other.server.duid().clone(), [9; 16]);
    assert_ne!(other.lease(1), leased[0]);
}

#[test]
fn sequential_by_setting() {
    let mut lab = Lab::new();
    lab.link.pool = lab.link.pool.with_order(Order::Sequential);
    assert_eq!(lab.lease(1), address("2001:db8:0:1::1:0"));
    assert_eq!(lab.lease(2), address("2001:db8:0:1::1:1"));
}

#[test]
fn the_same_address_after_release_expiry_restart_and_loss() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    lab.say(RELEASE, &[client(1), server_id(), ia_na(1, &[leased])]);
    lab.lease(2);
    assert_eq!(lab.lease(1), leased);
    lab.now += 3 * HOUR;
    lab.lease(3);
    assert_eq!(lab.lease(1), leased);
    // A restart: all is loaded.
    let mut again = Bindings::new();
    lab.bindings.iter().for_each(|binding| again.load(binding.clone()));
    lab.bindings = again;
    assert_eq!(lab.lease(1), leased);
    // A lost database.
    lab.bindings = Bindings::new();
    assert_eq!(lab.lease(1), leased);
}

#[test]
fn a_hint_is_honoured_when_free_and_the_own_address_wins() {
    let mut lab = Lab::new();
    let hint = address("2001:db8:0:1::1:7");
    assert_eq!(lab.say(SOLICIT, &[client(1), ia_na(1, &[hint])]).address(), hint);
    let leased = lab.lease(1);
    assert_eq!(lab.say(SOLICIT, &[client(1), ia_na(1, &[hint])]).address(), leased);
    // Out of the pool, off the link, the link's own, reserved.
    for hint in [
        "2001:db8:0:1::2:7",
        "2001:db8:0:2::1:7",
        "2001:db8:0:1::1",
        "2001:db8:0:1::",
        "::",
        "ff02::1",
    ] {
        let offered = lab.say(SOLICIT, &[client(2), ia_na(1, &[address(hint)])]).address();
        assert!(lab.link.pool.contains(offered), "{hint}");
    }
}

#[test]
fn a_remembered_address_is_kept_for_its_client_while_others_are_free() {
    let mut lab = Lab::with_pool("2001:db8:0:1::1:0/126");
    let (one, two) = (lab.lease(1), lab.lease(2));
    lab.say(RELEASE, &[client(1), server_id(), ia_na(1, &[one])]);
    lab.now += 1;
    lab.say(RELEASE, &[client(2), server_id(), ia_na(1, &[two])]);
    // Even when asked for.
    for client in [3, 4] {
        let other = lab
            .say(REQUEST, &[crate::lab::client(client), server_id(), ia_na(1, &[two])])
            .address();
        assert!(![one, two].contains(&other));
    }
    // None left: the one asked for, then the oldest.
    assert_eq!(lab.say(SOLICIT, &[client(5), ia_na(1, &[two])]).address(), two);
    assert_eq!(lab.lease(5), one);
    assert_eq!(lab.changes[0].before.as_ref().unwrap().duid.as_bytes(), duid(1));
    assert_eq!(lab.lease(2), two);
    assert_eq!(
        lab.say(SOLICIT, &[client(1), ia_na(1, &[])]).only_ia().status,
        Some(NO_ADDRS_AVAIL)
    );
}

#[test]
fn what_ran_out_and_what_was_released_are_reused_oldest_first() {
    let mut lab = Lab::with_pool("2001:db8:0:1::1:0/127");
    let (one, two) = (lab.lease(1), lab.lease(2));
    lab.now += 3 * HOUR;
    // Client 1's ran out an hour ago; client 2 comes back and releases now.
    assert_eq!(lab.lease(2), two);
    lab.say(RELEASE, &[client(2), server_id(), ia_na(1, &[two])]);
    assert_eq!(lab.lease(3), one);
    assert_eq!(lab.lease(4), two);
}

#[test]
fn the_last_address_of_a_pool_is_found() {
    let mut lab = Lab::with_pool("2001:db8:0:1::1:0/118");
    lab.link.limits.bindings = usize::MAX;
    let last = address("2001:db8:0:1::1:2a7");
    for offset in (0..1024).filter(|offset| *offset != 0x2a7) {
        lab.bindings.load(Binding {
            duid: format!("00:02:{:02x}:{:02x}", offset >> 8, offset & 255)
                .parse()
                .unwrap(),
            iaid: Iaid(1),
            leased: Leased::Address((u128::from(lab.link.pool.first()) + offset).into()),
            state: BindingState::Active,
            preferred_until: i64::MAX,
            valid_until: i64::MAX,
            place: Default::default(),
        });
    }
    assert_eq!(lab.lease(1), last);
    assert_eq!(
        lab.say(SOLICIT, &[client(2), ia_na(1, &[])]).only_ia().status,
        Some(NO_ADDRS_AVAIL)
    );
}

#[test]
fn bindings_of_a_link_are_limited_however_large_its_pool() {
    let mut lab = Lab::with_pool("2001:db8:0:1::/64");
    lab.link.limits.bindings = 2;
    let one = lab.lease(1);
    lab.lease(2);
    assert_eq!(
        lab.say(SOLICIT, &[client(3), ia_na(1, &[])]).only_ia().status,
        Some(NO_ADDRS_AVAIL)
    );
    lab.say(RELEASE, &[client(1), server_id(), ia_na(1, &[one])]);
    assert_eq!(lab.lease(3), one);
    assert_eq!(lab.bindings.len(), 2);
}

#[test]
fn a_pool_that_reaches_out_of_its_prefix_gives_what_is_inside() {
    let mut lab = Lab::new();
    lab.link.pool = Pool::range(address("2001:db8:0:0:ffff:ffff:ffff:fff0"), address("2001:db8:0:1::2")).unwrap();
    assert_eq!(lab.lease(1), address("2001:db8:0:1::2"));
    assert_eq!(
        lab.say(SOLICIT, &[client(2), ia_na(1, &[])]).only_ia().status,
        Some(NO_ADDRS_AVAIL)
    );
}

#[test]
fn a_clock_that_jumps_keeps_addresses() {
    let mut lab = Lab::new();
    let leased = lab.lease(1);
    for now in [0, i64::MIN, i64::MAX - 1, i64::MAX, 1_800_000_000_000] {
        lab.now = now;
        assert_eq!(lab.lease(1), leased, "{now}");
    }
}

#[test]
fn one_that_ended_is_found_among_many_that_left_the_pool() {
    let mut lab = Lab::with_pool("2001:db8:0:1::1:0/126");
    let held: Vec<Ipv6Addr> = (1..=4).map(|number| lab.lease(number)).collect();
    for number in 0..20_000_u32 {
        let [a, b, c, d] = number.to_be_bytes();
        lab.bindings.load(Binding {
            duid: Duid::new([0, 3, 0, 1, 9, 9, a, b, c, d]).unwrap(),
            iaid: Iaid(1),
            leased: Ipv6Addr::from_bits(address("2001:db8:0:1::7:0").to_bits() + u128::from(number)).into(),
            state: BindingState::Released,
            preferred_until: 0,
            valid_until: lab.now - 1_000_000,
            place: Default::default(),
        });
    }
    lab.say(RELEASE, &[client(2), server_id(), ia_na(1, &[held[1]])]);
    let mut tries = 0..500;
    let given = tries.find_map(|_| {
        lab.now += 1000;
        let read = lab.say(REQUEST, &[client(9), server_id(), ia_na(1, &[])]);
        read.only_ia().addresses.first().map(|address| address.ip)
    });
    assert_eq!(given, Some(held[1]));
    assert!(!tries.is_empty(), "not by the last try alone");
}
