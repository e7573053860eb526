//! Keeping a prefix and giving it back: rows 40 to 54 for prefixes.

use orchestrator_lab::wait_for;
use orchestrator_wire::{
    CONFIRM, DECLINE, NO_BINDING, REBIND, RELEASE, RENEW, SUCCESS, ia_na, ia_pd, ia_pd_hint, message,
};

use super::{ELSEWHERE, FIRST, delegate, delegating, holds, leases_of};
use crate::discard::assert_discarded;
use crate::site::PATIENCE;

#[test]
fn row_40_confirm_of_prefixes_alone_is_not_answered() {
    let site = delegating();
    let client = site.client();
    let granted = delegate(&client, 1, &[]);
    let bytes = message(CONFIRM, client.xid(), &[client.id(), ia_pd(1, &[&granted])]);
    assert_discarded(&site, &client, "nothing-to-confirm", &bytes);
    // And one of elsewhere does not speak against the addresses.
    let leased = client.lease(1);
    let answer = client.ask(CONFIRM, &[ia_na(1, &[leased]), ia_pd(1, &[ELSEWHERE])]);
    assert_eq!(answer.options.status(), Some(SUCCESS));
}

#[test]
fn row_42_and_46_renew_and_rebind_extend() {
    let site = delegating();
    let client = site.client();
    let granted = delegate(&client, 1, &[]);
    let end = || {
        let leases = site.leases();
        let lease = leases
            .into_iter()
            .find(|lease| lease["prefix"] == granted.as_str())
            .unwrap();
        lease["valid_until"].as_str().unwrap().to_owned()
    };
    for kind in [RENEW, REBIND] {
        let before = end();
        let server = if kind == RENEW { client.server_id() } else { Vec::new() };
        // Times are shown in milliseconds, and it may all have happened in one.
        wait_for("a later end", PATIENCE, || {
            let answer = client.ask(kind, &[server.clone(), ia_pd(1, &[&granted])]);
            let told = answer.ia_pd(1).delegated();
            assert_eq!(
                (told.text.as_str(), told.preferred, told.valid),
                (granted.as_str(), 3600, 7200)
            );
            (end() > before).then_some(())
        });
    }
}

#[test]
fn row_43_and_48_an_unknown_prefix_of_ours_is_leased_at_renew_and_not_at_rebind() {
    let site = delegating();
    let client = site.client();
    let wanted = format!("{FIRST}aaaa::/64");
    let ia = [ia_pd(1, &[&wanted])];
    assert_eq!(client.ask(REBIND, &ia).refused_prefixes(), [(1, Some(NO_BINDING))]);
    assert_eq!(leases_of(&site, &client), []);
    assert_eq!(client.ask_server(RENEW, &ia).ia_pd(1).delegated().text, wanted);
    assert!(holds(&site, &client, &wanted));
}

#[test]
fn row_44_and_47_a_prefix_of_elsewhere_has_ended() {
    let site = delegating();
    let client = site.client();
    let unknown = client.ask(REBIND, &[ia_pd(1, &[ELSEWHERE])]).ia_pd(1);
    assert_eq!((unknown.ended(), unknown.status), (vec![ELSEWHERE.to_owned()], None));
    let granted = delegate(&client, 1, &[]);
    let renewed = client.ask_server(RENEW, &[ia_pd(1, &[ELSEWHERE, &granted])]).ia_pd(1);
    assert_eq!(
        (renewed.delegated().text, renewed.ended()),
        (granted, vec![ELSEWHERE.to_owned()])
    );
}

#[test]
fn row_49_a_forged_prefix_is_never_leased() {
    let site = delegating();
    let (owner, client) = (site.client(), site.client());
    let (foreign, own) = (delegate(&owner, 1, &[]), delegate(&client, 1, &[]));
    let ia = [ia_pd(1, &[&foreign, &own])];
    for answer in [client.ask(REBIND, &ia), client.ask_server(RENEW, &ia)] {
        let told = answer.ia_pd(1);
        assert_eq!(
            (told.delegated().text, told.ended()),
            (own.clone(), vec![foreign.clone()])
        );
        assert!(holds(&site, &owner, &foreign) && !holds(&site, &client, &foreign));
    }
}

#[test]
fn row_51_to_53_release() {
    let site = delegating();
    let (owner, client) = (site.client(), site.client());
    let (foreign, own) = (delegate(&owner, 1, &[]), delegate(&client, 1, &[]));
    // A part of a prefix, or more than it, is another.
    let wider = own.replace("/64", "/56");
    let ias = [ia_pd(1, &[&foreign, &wider]), ia_pd_hint(2, None)];
    let answer = client.ask_server(RELEASE, &ias);
    assert_eq!(answer.options.status(), Some(SUCCESS));
    assert_eq!(answer.refused_prefixes(), [(2, Some(NO_BINDING))]);
    assert!(holds(&site, &owner, &foreign) && holds(&site, &client, &own));
    client.ask_server(RELEASE, &[ia_pd(1, &[&own, &own])]);
    assert_eq!(leases_of(&site, &client), [(own.clone(), "released".to_owned())]);
    let again = client.ask_server(RELEASE, &[ia_pd(1, &[&own])]);
    assert_eq!(
        (again.options.status(), again.refused_prefixes()),
        (Some(SUCCESS), vec![(1, Some(NO_BINDING))])
    );
}

#[test]
fn row_54_prefixes_are_not_declined() {
    let site = delegating();
    let client = site.client();
    let granted = delegate(&client, 1, &[]);
    let answer = client.ask_server(DECLINE, &[ia_pd(1, &[&granted])]);
    assert_eq!((answer.options.status(), answer.ias_pd().len()), (Some(SUCCESS), 0));
    assert!(holds(&site, &client, &granted));
}
