//! Rebind (section 18.3.5): rows 46 to 49.

use orchestrator_wire::{NO_BINDING, REBIND, SERVER_ID, ia_na};

use crate::site::{off_link, on_link, plain, rapid};

#[test]
fn row_46_rebind_extends_the_lease() {
    let site = plain();
    let client = site.client();
    let leased = client.lease(1);
    let answer = client.ask(REBIND, &[ia_na(1, &[leased])]);
    assert!(answer.options.get(SERVER_ID).is_some());
    assert_eq!((answer.ia(1).leased().ip, answer.ia(1).leased().valid), (leased, 7200));
}

#[test]
fn row_47_rebind_of_an_unknown_address_off_the_link_is_told_that_it_has_ended() {
    let site = plain();
    let client = site.client();
    let ia = client.ask(REBIND, &[ia_na(1, &[off_link()])]).ia(1);
    assert_eq!(ia.ended(), [off_link()]);
    assert_eq!(ia.addresses.len(), 1, "{ia:?}");
    assert!(site.leases_of(&client).is_empty());
}

#[test]
fn row_48_rebind_of_an_unknown_binding_makes_none_without_rapid_commit() {
    let site = plain();
    let client = site.client();
    let ia = client.ask(REBIND, &[ia_na(1, &[on_link("::1:78")])]).ia(1);
    assert_eq!((ia.status, ia.addresses), (Some(NO_BINDING), Vec::new()));
    assert!(site.leases_of(&client).is_empty());
}

#[test]
fn row_48_rebind_of_an_unknown_binding_makes_one_with_rapid_commit() {
    let site = rapid();
    let client = site.client();
    let ia = client.ask(REBIND, &[ia_na(1, &[on_link("::1:78")])]).ia(1);
    assert_eq!(site.leases_of(&client), [(ia.leased().ip, "active".to_owned())]);
}

#[test]
fn row_49_rebind_with_the_address_of_another_never_activates_it() {
    for site in [plain(), rapid()] {
        let (owner, forger) = (site.client(), site.client());
        let (owned, own) = (owner.lease(1), forger.lease(1));
        let before = site.lease(owned);
        let ias = [ia_na(1, &[own, owned, on_link("::1:79")]), ia_na(2, &[owned])];
        let answer = forger.ask(REBIND, &ias);
        assert_eq!(answer.ia(1).leased().ip, own);
        for ia in answer.ias() {
            let live = ia
                .addresses
                .iter()
                .any(|address| address.ip == owned && address.valid > 0);
            assert!(!live, "{answer:?}");
        }
        assert_eq!(site.lease(owned), before);
    }
}
