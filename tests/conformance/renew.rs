//! Renew (section 18.3.4): rows 42 to 45.

use orchestrator_lab::wait_for;
use orchestrator_wire::{NO_ADDRS_AVAIL, RENEW, ia_na};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::site::{PATIENCE, POOL, PREFIX, Site, link, off_link, on_link, plain};

#[test]
fn row_42_renew_extends_the_lease() {
    let site = plain();
    let client = site.client();
    let leased = client.lease(3);
    let until = |site: &Site| {
        let lease = site.lease(leased).unwrap();
        // As text, a moment with fewer digits sorts behind a later one.
        OffsetDateTime::parse(lease["valid_until"].as_str().unwrap(), &Rfc3339).unwrap()
    };
    let before = until(&site);
    // Times are shown in milliseconds, and it may all have happened in one.
    wait_for("a later end", PATIENCE, || {
        let ia = client.tell(RENEW, 3, leased).ia(3);
        assert_eq!((ia.iaid, ia.leased().ip, ia.leased().valid), (3, leased, 7200));
        (until(&site) > before).then_some(())
    });
    assert_eq!(site.leases_of(&client), [(leased, "active".to_owned())]);
}

#[test]
fn row_43_renew_of_an_unknown_binding_gets_a_lease() {
    // Of a server that lost its database, say: the client goes on with what it has, where nobody else holds it.
    let site = plain();
    let (client, other) = (site.client(), site.client());
    let wanted = on_link("::1:77");
    assert_eq!(client.tell(RENEW, 1, wanted).ia(1).leased().ip, wanted);
    assert_eq!(site.leases_of(&client), [(wanted, "active".to_owned())]);
    let ia = other.tell(RENEW, 1, wanted).ia(1);
    assert_eq!(ia.ended(), [wanted]);
    assert_eq!(site.leases_of(&other), [(ia.leased().ip, "active".to_owned())]);
}

#[test]
fn row_44_renew_with_an_address_off_the_link_is_told_that_it_has_ended() {
    let site = plain();
    let client = site.client();
    let leased = client.lease(1);
    let ia = client.ask_server(RENEW, &[ia_na(1, &[off_link(), leased])]).ia(1);
    assert_eq!((ia.leased().ip, ia.ended()), (leased, vec![off_link()]));
}

#[test]
fn row_30_an_association_that_is_not_extended_has_the_times_of_one_that_is() {
    let site = Site::start(POOL, "");
    let client = site.client();
    let (first, second) = (client.lease(1), client.lease(2));
    // The pool is another one now, of one address.
    site.reload_with(&link("br0", PREFIX, &format!("{PREFIX}::2:8/128"), ""));
    let answer = client.ask_server(RENEW, &[ia_na(1, &[first]), ia_na(2, &[second])]);
    let (moved, left) = (answer.ia(1), answer.ia(2));
    assert_eq!((moved.leased().ip, moved.ended()), (on_link("::2:8"), vec![first]));
    assert_eq!(left.leased().ip, second);
    assert_eq!([(moved.t1, moved.t2), (left.t1, left.t2)], [(1800, 2880); 2]);
}

#[test]
fn row_45_a_lease_that_is_not_extended_is_told_what_is_left_of_it() {
    let mut site = Site::start(POOL, "");
    let (client, other) = (site.client(), site.client());
    let leased = client.lease(1);
    // The pool is another one now, of one address, and that one is taken.
    site.restart_with(&link("br0", PREFIX, &format!("{PREFIX}::2:8/128"), ""));
    assert_eq!(other.lease(1), on_link("::2:8"));
    let ia = client.tell(RENEW, 1, leased).ia(1);
    let left = ia.leased();
    assert_eq!(left.ip, leased);
    assert!((1..7200).contains(&left.valid) && left.preferred < 3600, "{left:?}");
    assert_eq!((ia.t1, ia.t2), (left.valid, left.valid));
    assert!(site.holds(&client, leased));
    // Who has nothing that could be left gets nothing.
    let ia = site.client().tell(RENEW, 1, on_link("::2:8")).ia(1);
    assert_eq!(ia.status, Some(NO_ADDRS_AVAIL));
    assert!(ia.addresses.iter().all(|address| address.valid == 0), "{ia:?}");
    assert!(site.holds(&other, on_link("::2:8")));
}
