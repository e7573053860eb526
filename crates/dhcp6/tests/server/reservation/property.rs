//! Nothing that is kept is ever given to anyone else.

use std::net::Ipv6Addr;

use orchestrator_dhcp6::{Leased, Order, Pool, Reservations};
use orchestrator_wire::*;
use proptest::prelude::*;

use super::{by_duid, reserved};
use crate::lab::{HOUR, Lab, address, client, prefix_pool, server_id};

/// An action of a client: its number, the association and its named addresses; and the time until then.
#[derive(Debug, Clone)]
struct Step {
    kind: u8,
    client: u8,
    iaid: u32,
    named: u8,
    later: i64,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = prop::sample::select(vec![SOLICIT, REQUEST, RENEW, REBIND, RELEASE, DECLINE]);
    let step = (
        kind,
        0u8..6,
        1u32..3,
        0u8..10,
        prop_oneof![4 => Just(0), 1 => Just(HOUR), 1 => Just(3 * HOUR)],
    );
    step.prop_map(|(kind, client, iaid, named, later)| Step {
        kind,
        client,
        iaid,
        named,
        later,
    })
}

proptest! {
    /// Whatever clients do, and whenever what is reserved changes: nobody is given, or given for longer, what is kept
    /// for another.
    #[test]
    fn what_is_kept_is_never_given_to_anyone_else(
        steps in prop::collection::vec((step(), prop::option::weighted(0.1, prop::collection::vec((0u8..6, 0u8..10), 0..6))), 1..80),
        rapid in any::<bool>(),
        sequential in any::<bool>(),
    ) {
        let first = u128::from(address("2001:db8:0:1::1:0"));
        let nth = |n: u8| Ipv6Addr::from(first + u128::from(n));
        let net = |n: u8| format!("2001:db8:1:{n:x}::/64");
        let mut lab = Lab::new();
        let order = if sequential { Order::Sequential } else { Order::Hashed };
        lab.link.pool = Pool::range(nth(0), nth(7)).unwrap().with_order(order);
        lab.link.delegation = vec![prefix_pool("2001:db8:1::/61", 64).with_order(order)];
        lab.link.rapid_commit = rapid;
        for (step, reservations) in steps {
            if let Some(kept) = reservations {
                lab.link.reservations = Reservations::new();
                for (n, what) in kept {
                    // What stands against another is left out.
                    let prefix = net(what);
                    let _ = lab.link.reservations.insert(reserved(by_duid(n), Some(&nth(what).to_string()), Some(&prefix)));
                }
            }
            lab.now += step.later;
            let server = if matches!(step.kind, SOLICIT | REBIND) { Vec::new() } else { server_id() };
            let ias = [ia_na(step.iaid, &[nth(step.named)]), ia_pd(step.iaid, &[&net(step.named)])].concat();
            let read = lab.say(step.kind, &[client(step.client), server, ias]);
            let addresses = read.ias().into_iter().flat_map(|ia| ia.addresses).filter(|address| address.valid > 0);
            let prefixes = read.ias_pd().into_iter().flat_map(|ia| ia.prefixes).filter(|prefix| prefix.valid > 0);
            let told: Vec<Leased> = addresses
                .map(|address| Leased::Address(address.ip))
                .chain(prefixes.map(|prefix| prefix.text.parse().unwrap()))
                .collect();
            for leased in told {
                let keeper = lab.link.reservations.iter().find(|reservation| {
                    reservation.address.map(Leased::from) == Some(leased) || reservation.prefix.map(Leased::from) == Some(leased)
                });
                if let Some(keeper) = keeper {
                    // At the end of the pool a lease is not extended, but told as what is left of it.
                    let renewed = lab.changes.iter().any(|change| change.after.leased == leased);
                    prop_assert!(keeper.holder == by_duid(step.client) || !renewed, "{leased} of {:?} to {step:?}", keeper.holder);
                    prop_assert!(keeper.holder == by_duid(step.client) || !matches!(step.kind, SOLICIT | REQUEST), "{leased}");
                }
            }
        }
    }
}
