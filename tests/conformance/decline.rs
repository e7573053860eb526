//! Decline (section 18.3.8): rows 54 and 55.

use orchestrator_wire::{DECLINE, NO_ADDRS_AVAIL, NO_BINDING, SUCCESS, ia_na};

use crate::site::{PREFIX, Site, plain};

#[test]
fn row_54_decline_succeeds_and_names_what_is_not_known() {
    let site = plain();
    let client = site.client();
    let leased = client.lease(1);
    let other = site.client().lease(1);
    let answer = client.ask_server(DECLINE, &[ia_na(1, &[leased]), ia_na(2, &[other])]);
    assert_eq!(answer.options.status(), Some(SUCCESS));
    let ias = answer.ias();
    assert_eq!(ias.len(), 1, "{answer:?}");
    assert_eq!(
        (ias[0].iaid, ias[0].status, &ias[0].addresses),
        (2, Some(NO_BINDING), &Vec::new())
    );
    assert_eq!(site.leases_of(&client), [(leased, "declined".to_owned())]);
    assert_eq!(site.lease(other).unwrap()["state"], "active");
}

#[test]
fn row_55_a_declined_address_is_given_to_nobody_who_asks_for_it() {
    let site = plain();
    let client = site.client();
    let declined = client.lease(1);
    client.tell(DECLINE, 1, declined);
    for asker in [&client, &site.client()] {
        assert_ne!(asker.solicit(1, &[declined]).leased().ip, declined);
        assert_ne!(asker.request(1, &[declined]).leased().ip, declined);
    }
    assert_eq!(site.lease(declined).unwrap()["state"], "declined");
}

#[test]
fn row_55_a_declined_address_is_in_quarantine_also_when_it_is_the_last() {
    let mut site = Site::start(&format!("{PREFIX}::1:1/128"), "");
    let client = site.client();
    let declined = client.lease(1);
    client.tell(DECLINE, 1, declined);
    let refused = |site: &Site| site.client().solicit(1, &[declined]).status == Some(NO_ADDRS_AVAIL);
    assert!(refused(&site));
    assert_eq!(client.solicit(1, &[declined]).status, Some(NO_ADDRS_AVAIL));
    site.daemon.stop().unwrap();
    site.resume();
    assert!(refused(&site), "the quarantine outlasts a restart");
    // An operator knows better.
    let listed = site.daemon.cli(&["quarantine", "ls"]).unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.contains(&declined.to_string()) && listed.contains("declined"),
        "{listed}"
    );
    let lifted = site.daemon.cli(&["quarantine", "lift", &declined.to_string()]).unwrap();
    assert!(lifted.status.success(), "{lifted:?}");
    assert_eq!(site.client().solicit(1, &[]).leased().ip, declined);
    let again = site.daemon.cli(&["quarantine", "lift", &declined.to_string()]).unwrap();
    assert!(!again.status.success(), "it is lifted already: {again:?}");
}

#[test]
fn a_quarantine_lasts_as_long_as_the_link_says() {
    let site = Site::start(&format!("{PREFIX}::1:1/128"), "quarantine = \"0s\"");
    let client = site.client();
    let declined = client.lease(1);
    client.tell(DECLINE, 1, declined);
    assert_eq!(site.client().lease(1), declined);
}
