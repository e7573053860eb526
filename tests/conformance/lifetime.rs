//! Lifetimes, T1 and T2 (sections 18.1, 21.4 and 21.6): rows 30, 31 and 32.

use orchestrator_wire::{REBIND, RENEW, REQUEST, SOLICIT, ia_address, ia_na, ia_na_timed};

use crate::site::{POOL, Site, plain};

#[test]
fn row_30_all_associations_of_an_answer_have_the_same_times() {
    let site = plain();
    let client = site.client();
    client.lease(1);
    let ias = [ia_na(1, &[]), ia_na(2, &[]), ia_na(3, &[])];
    for (kind, server) in [
        (SOLICIT, Vec::new()),
        (REQUEST, client.server_id()),
        (RENEW, client.server_id()),
    ] {
        let answer = client.ask(kind, &[&[server], &ias[..]].concat());
        let mut times: Vec<_> = answer
            .ias()
            .iter()
            .map(|ia| (ia.leased(), (ia.t1, ia.t2)))
            .map(|both| both.1)
            .collect();
        assert_eq!(times.len(), 3);
        times.dedup();
        assert_eq!(times, [(1800, 2880)]);
    }
}

#[test]
fn row_31_and_32_the_client_does_not_choose_its_times() {
    let site = plain();
    let client = site.client();
    let leased = client.lease(1);
    for wish in [0, 1, 100, 1_000_000, u32::MAX] {
        let ia = ia_na_timed(1, (wish, wish / 2), &[ia_address(leased, wish, wish / 2)]);
        for (kind, server) in [
            (SOLICIT, Vec::new()),
            (REQUEST, client.server_id()),
            (RENEW, client.server_id()),
            (REBIND, Vec::new()),
        ] {
            let ia = client.ask(kind, &[server, ia.clone()]).ia(1);
            let address = ia.leased();
            assert_eq!(
                (ia.t1, ia.t2, address.preferred, address.valid),
                (1800, 2880, 3600, 7200),
                "{wish} in {kind}"
            );
        }
    }
}

#[test]
fn row_31_times_follow_the_preferred_lifetime() {
    for (preferred, valid) in [(1000, 1000), (7, 11), (4_000_000_000_u32, 4_294_967_294)] {
        let lines = format!("preferred_lifetime = \"{preferred}s\"\nvalid_lifetime = \"{valid}s\"");
        let site = Site::start(POOL, &lines);
        let ia = site.client().solicit(1, &[]);
        let address = ia.leased();
        assert_eq!((address.preferred, address.valid), (preferred, valid));
        let part = |tenths: u64| u32::try_from(u64::from(preferred) * tenths / 10).unwrap();
        assert_eq!((ia.t1, ia.t2), (part(5), part(8)));
    }
}
