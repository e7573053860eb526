//! Release (section 18.3.7): rows 51, 52 and 53.

use orchestrator_wire::{NO_BINDING, RELEASE, SUCCESS, ia_na};

use crate::site::plain;

#[test]
fn row_51_release_frees_the_address() {
    let site = plain();
    let client = site.client();
    let (leased, kept) = (client.lease(1), client.lease(2));
    let answer = client.tell(RELEASE, 1, leased);
    assert_eq!(answer.options.status(), Some(SUCCESS));
    assert!(answer.ias().is_empty(), "{answer:?}");
    let mut expected = [(leased, "released".to_owned()), (kept, "active".to_owned())];
    expected.sort();
    assert_eq!(site.leases_of(&client), expected);
    // It is free for who asks for it, and there is nothing left to release.
    let answer = client.tell(RELEASE, 1, leased);
    assert_eq!(
        (answer.options.status(), answer.ia(1).status),
        (Some(SUCCESS), Some(NO_BINDING))
    );
}

#[test]
fn row_52_release_without_a_binding_is_told_so_in_each_identity_association() {
    let site = plain();
    let client = site.client();
    let address = site.client().lease(1);
    let answer = client.ask_server(RELEASE, &[ia_na(1, &[address]), ia_na(2, &[])]);
    assert_eq!(answer.options.status(), Some(SUCCESS));
    for iaid in [1, 2] {
        let ia = answer.ia(iaid);
        assert_eq!((ia.status, ia.addresses), (Some(NO_BINDING), Vec::new()));
    }
}

#[test]
fn row_53_release_of_the_address_of_another_has_no_effect() {
    let site = plain();
    let (owner, forger) = (site.client(), site.client());
    let (owned, own) = (owner.lease(1), forger.lease(1));
    let before = site.leases();
    // In an association that it has, and in one that only the owner has.
    forger.tell(RELEASE, 1, owned);
    forger.tell(RELEASE, 2, owned);
    assert_eq!(site.leases(), before);
    assert!(site.holds(&owner, owned) && site.holds(&forger, own));
}
