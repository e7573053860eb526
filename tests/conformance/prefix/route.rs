//! Routes for many prefixes at once, and routes that somebody else takes away.

use std::collections::BTreeSet;

use orchestrator_lab::wait_for;
use orchestrator_wire::{CLIENT_ID, Message, RELEASE, RENEW, REQUEST, ia_pd, ia_pd_hint, message, option};

use super::{DELEGATION, FIRST, delegate};
use crate::client::{Client, receive};
use crate::holder::insist;
use crate::site::{PATIENCE, POOL, Site, new_duid};

/// Clients that come and go one right after the other.
const HERD: usize = 600;

/// The prefixes that the daemon routes to somebody.
pub(crate) fn routed(site: &Site) -> BTreeSet<String> {
    let routes = site.host.ip_json("-6 route show proto 111").unwrap();
    let routes = routes
        .as_array()
        .unwrap()
        .iter()
        .filter(|route| route["gateway"].is_string());
    routes.map(|route| route["dst"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_herd_of_clients_is_routed_and_leaves_nothing() {
    // As many new clients at once as there are.
    let site = Site::start(POOL, &format!("limits = {{ identities = \"none\" }}\n{DELEGATION}"));
    let socket = site.client();
    let duids: Vec<Vec<u8>> = (0..HERD).map(|_| new_duid()).collect();
    let tell = |duid: &[u8], kind: u8, ia: Vec<u8>| {
        let options = [option(CLIENT_ID, duid), socket.server_id(), ia];
        socket.send(&message(kind, socket.xid(), &options));
        Message::parse(&receive(&socket.socket).0)
    };
    let request = |duid: &Vec<u8>| tell(duid, REQUEST, ia_pd_hint(1, None)).ia_pd(1).delegated().text;
    let granted: Vec<String> = duids.iter().map(request).collect();
    let expected: BTreeSet<String> = granted.iter().cloned().collect();
    assert_eq!(expected.len(), HERD);
    wait_for("a route for each", PATIENCE, || {
        (routed(&site) == expected).then_some(())
    });
    for (duid, prefix) in duids.iter().zip(&granted) {
        tell(duid, RELEASE, ia_pd(1, &[prefix]));
    }
    wait_for("the last route to go", PATIENCE, || {
        routed(&site).is_empty().then_some(())
    });
}

#[test]
fn a_route_follows_a_client_that_renews_from_another_address() {
    let site = Site::start(POOL, DELEGATION);
    let first = site.client();
    let prefix = delegate(&first, 1, &[]);
    let leads_to = |client: &Client| {
        wait_for("the route to lead to the client", PATIENCE, || {
            let routes = site.host.ip_json(&format!("-6 route show {prefix}")).unwrap();
            assert!(routes.as_array().unwrap().len() <= 1, "{routes}");
            (routes[0]["gateway"] == client.address.to_string()).then_some(())
        });
    };
    leads_to(&first);
    let second = site.client_with(&first.duid);
    let left = format!("address del {}/64 dev eth0", first.address);
    site.machine.ip(&left).unwrap();
    insist(&second, RENEW, &[ia_pd(1, &[&prefix])]);
    leads_to(&second);
}

#[test]
fn a_route_that_somebody_removed_is_made_again() {
    let site = Site::start(POOL, DELEGATION);
    let prefix = delegate(&site.client(), 1, &[]);
    let expected = BTreeSet::from([prefix.clone()]);
    wait_for("the route", PATIENCE, || (routed(&site) == expected).then_some(()));
    let pool = format!("{FIRST}:/48");
    site.host.ip(&format!("-6 route delete {prefix}")).unwrap();
    site.host.ip(&format!("-6 route delete unreachable {pool}")).unwrap();
    wait_for("both routes again", PATIENCE, || {
        let pools = site.host.ip_json(&format!("-6 route show {pool}")).unwrap();
        (routed(&site) == expected && pools[0]["type"] == "unreachable").then_some(())
    });
}
