//! One DUID at two link-layer addresses (section 11): a cloned machine. Both are one client, and the one that holds the
//! lease keeps it for as long as it answers.

use orchestrator_lab::wait_for;
use orchestrator_wire::{NO_ADDRS_AVAIL, RELEASE, REQUEST, ia_na};
use serde_json::Value;

use crate::client::Client;
use crate::holder::insist;
use crate::site::{PATIENCE, POOL, Site, hex, new_duid};

/// How often a DUID was found to be cloned.
fn counted(site: &Site) -> u64 {
    let text = site.daemon.ask("GET", "/metrics").unwrap().text();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("orchestrator_dhcp6_cloned_duids_total "));
    line.unwrap().parse().unwrap()
}

/// The events about cloned DUIDs.
fn told(site: &Site) -> Vec<Value> {
    let events = site.daemon.items("/v1/events?after=0&limit=1000").unwrap();
    events
        .into_iter()
        .filter(|event| event["kind"] == "cloned-duid")
        .collect()
}

fn lines(site: &Site, duid: &[u8]) -> usize {
    let (log, duid) = (site.daemon.log(), hex(duid));
    log.lines()
        .filter(|line| line.contains("cloned DUID") && line.contains(&duid))
        .count()
}

/// Two machines with one DUID, each with an interface of its own.
fn twins(site: &Site) -> [Client; 2] {
    let duid = new_duid();
    let copy = site.connect("copy");
    [site.client_with(&duid), site.client_on(&copy, &duid)]
}

#[test]
fn a_cloned_duid_is_one_client_and_is_told_of_once() {
    let site = Site::start(POOL, "");
    let [original, copy] = twins(&site);
    let leased = original.lease(1);
    assert_eq!((counted(&site), told(&site)), (0, vec![]));
    for _ in 0..5 {
        let refused = insist(&copy, REQUEST, &[ia_na(1, &[leased])]).ia(1);
        assert_eq!(refused.status, Some(NO_ADDRS_AVAIL), "the original answers");
        assert_eq!(original.request(1, &[leased]).leased().ip, leased);
    }
    assert_eq!((counted(&site), lines(&site, &original.duid)), (1, 1));
    let event = wait_for("the timeline to tell of it", PATIENCE, || told(&site).pop());
    assert_eq!(told(&site).len(), 1);
    let detail = event["detail"].as_str().unwrap();
    for part in [
        hex(&original.duid),
        original.address.to_string(),
        copy.address.to_string(),
    ] {
        assert!(detail.contains(&part), "{part} in {detail}");
    }
    // In the timeline of the client, and where people look.
    let client = event["client"].as_str().unwrap();
    let (_, client) = site.daemon.api("GET", &format!("/v1/clients/{client}")).unwrap();
    assert_eq!(client["duid"], hex(&original.duid).as_str());
    let shown = site.daemon.cli(&["events"]).unwrap();
    assert!(String::from_utf8(shown.stdout).unwrap().contains("cloned-duid"));
}

#[test]
fn a_client_that_moves_is_no_clone() {
    let site = Site::start(POOL, "");
    let [there, elsewhere] = twins(&site);
    let leased = there.lease(1);
    let own = format!("{}/64 dev eth0", there.address);
    site.machine.ip(&format!("address del {own}")).unwrap();
    let moved = insist(&elsewhere, REQUEST, &[ia_na(1, &[leased])]).ia(1);
    assert_eq!(moved.leased().ip, leased);
    site.machine.ip(&format!("address add {own} nodad")).unwrap();
    // Who has given its leases back may come from anywhere.
    elsewhere.tell(RELEASE, 1, leased);
    assert_eq!(there.lease(1), leased);
    there.tell(RELEASE, 1, leased);
    elsewhere.lease(1);
    let two_clients_in_turn = [site.client(), site.client()];
    for _ in 0..3 {
        for client in &two_clients_in_turn {
            client.lease(1);
        }
    }
    assert_eq!((counted(&site), told(&site)), (0, vec![]));
}

/// One DUID, and an IAID for each of its interfaces, is what RFC 9915, section 4.2 wants of one machine.
#[test]
fn one_machine_with_two_interfaces_is_not_advised_to_change_its_duid() {
    let site = Site::start(POOL, "");
    let [first, second] = twins(&site);
    for _ in 0..5 {
        first.lease(1);
        second.lease(2);
    }
    assert_eq!((counted(&site), lines(&site, &first.duid)), (0, 0));
    let event = wait_for("the timeline to say what it may be", PATIENCE, || {
        let events = site.daemon.items("/v1/events?after=0&limit=1000").unwrap();
        events.into_iter().find(|event| event["kind"] == "shared-duid")
    });
    assert_eq!(told(&site), Vec::<Value>::new());
    let detail = event["detail"].as_str().unwrap();
    for part in ["two interfaces", "nothing is to be done", "IAIDs 1 and 2", "cloned"] {
        assert!(detail.contains(part), "{part} in {detail}");
    }
}
