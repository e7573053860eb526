//! Confirm (section 18.3.3): rows 39, 40 and 41.

use crate::discard::assert_discarded;
use crate::site::{off_link, on_link, plain};
use crate::wire::{CONFIRM, NOT_ON_LINK, SUCCESS, ia_na, message};

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
