//! Renew (section 18.3.4): rows 42 to 45.

use orchestrator_lab::wait_for;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::site::{PATIENCE, POOL, PREFIX, Site, link, off_link, on_link, plain};
use crate::wire::{NO_ADDRS_AVAIL, NO_BINDING, RENEW, ia_na};

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
fn row_43_renew_of_an_unknown_binding_gets_a_lease_or_no_binding() {
    let site = plain();
    let client = site.client();
    let ia = client.tell(RENEW, 1, on_link("::1:77")).ia(1);
    if ia.status == Some(NO_BINDING) {
        assert!(ia.addresses.is_empty() && site.leases_of(&client).is_empty());
    } else {
        assert_eq!(site.leases_of(&client), [(ia.leased().ip, "active".to_owned())]);
    }
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
