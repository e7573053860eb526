//! Confirm (section 18.3.3): rows 39, 40 and 41.

use orchestrator_wire::{CONFIRM, NOT_ON_LINK, RELEASE, SUCCESS, ia_na, message};

use crate::discard::assert_discarded;
use crate::site::{POOL, PREFIX, Site, link, off_link, on_link, plain};

#[test]
fn row_39_confirm_tells_whether_all_addresses_are_on_the_link() {
    let site = plain();
    let client = site.client();
    let leased = client.lease(1);
    for (addresses, status) in [
        (vec![leased], SUCCESS),
        (vec![leased, on_link("::4:4")], SUCCESS),
        (vec![leased, off_link()], NOT_ON_LINK),
        (vec![off_link()], NOT_ON_LINK),
    ] {
        let answer = client.ask(CONFIRM, &[ia_na(1, &addresses)]);
        assert_eq!(answer.options.status(), Some(status), "{addresses:?}");
    }
    // Also when the one that does not belong is in another identity association.
    let answer = client.ask(CONFIRM, &[ia_na(1, &[leased]), ia_na(2, &[off_link()])]);
    assert_eq!(answer.options.status(), Some(NOT_ON_LINK));
    assert!(site.holds(&client, leased));
}

#[test]
fn row_40_confirm_without_addresses_is_not_answered() {
    let site = plain();
    let client = site.client();
    client.lease(1);
    for options in [vec![], vec![ia_na(1, &[])], vec![ia_na(1, &[]), ia_na(2, &[])]] {
        let bytes = message(CONFIRM, client.xid(), &[&[client.id()], &options[..]].concat());
        assert_discarded(&site, &client, "nothing-to-confirm", &bytes);
    }
}

#[test]
fn row_41_confirm_does_not_ask_whose_an_address_is() {
    let site = plain();
    let (owner, other) = (site.client(), site.client());
    let owned = owner.lease(1);
    let answer = other.ask(CONFIRM, &[ia_na(1, &[owned])]);
    assert_eq!(answer.options.status(), Some(SUCCESS));
    assert!(site.holds(&owner, owned) && site.leases_of(&other).is_empty());
}

#[test]
fn row_18_a_client_that_comes_back_by_confirm_after_it_released_has_its_lease_again() {
    let mut site = Site::start(POOL, "valid_lifetime = \"1h\"");
    let (client, other) = (site.client(), site.client());
    let (leased, second) = (client.lease(1), client.lease(2));
    client.tell(RELEASE, 1, leased);
    client.tell(RELEASE, 2, second);
    assert!(!site.holds(&client, leased) && !site.holds(&client, second));
    // Somebody else who confirms the address takes nothing.
    other.ask(CONFIRM, &[ia_na(1, &[leased])]);
    assert!(!site.holds(&client, leased) && site.leases_of(&other).is_empty());
    let answer = client.ask(CONFIRM, &[ia_na(1, &[leased]), ia_na(2, &[second])]);
    assert_eq!(answer.options.status(), Some(SUCCESS));
    assert!(answer.ias().is_empty(), "{answer:?}");
    // It was recorded before the answer left.
    site.daemon.kill9();
    site.resume();
    assert!(site.holds(&client, leased) && site.holds(&client, second));
    // Nobody else is given it, and a lease that runs is left as it is.
    let before = site.lease(leased).unwrap();
    client.ask(CONFIRM, &[ia_na(1, &[leased])]);
    assert_eq!(site.lease(leased).unwrap(), before);
    assert_ne!(other.request(1, &[leased]).leased().ip, leased);
}

#[test]
fn row_18_a_client_that_confirms_what_it_cannot_have_again_is_made_to_ask_anew() {
    let site = Site::start(POOL, "");
    let client = site.client();
    let (leased, kept) = (client.lease(1), client.lease(2));
    client.tell(RELEASE, 1, leased);
    site.reload_with(&link("br0", PREFIX, &format!("{PREFIX}::3:0/112"), ""));
    let answer = client.ask(CONFIRM, &[ia_na(1, &[leased]), ia_na(2, &[kept])]);
    assert_eq!(answer.options.status(), Some(NOT_ON_LINK));
    assert!(!site.holds(&client, leased) && site.holds(&client, kept));
    let anew = client.lease(1);
    assert!(anew.to_string().starts_with(&format!("{PREFIX}::3:")), "{anew}");
}
