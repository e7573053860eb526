//! Pools of prefixes that change while clients hold some.

use std::collections::BTreeSet;

use orchestrator_lab::wait_for;
use orchestrator_wire::{RENEW, ia_pd};

use super::route::routed;
use super::{FIRST, delegate, holds};
use crate::site::{PATIENCE, POOL, PREFIX, Site, link};

const BEFORE: &str = "[[link.delegation]]\npool = \"fd39:9706:2787::/48\"";
const AFTER: &str = "[[link.delegation]]\npool = \"fd39:9706:2789::/48\"";

fn wait_routed(site: &Site, prefix: &str) {
    let expected = BTreeSet::from([prefix.to_owned()]);
    wait_for(&format!("the route to {prefix} alone"), PATIENCE, || {
        (routed(site) == expected).then_some(())
    });
}

/// Waits until one pool is unreachable, but for what is delegated, and the other one is not routed at all.
fn wait_pool(site: &Site, pool: &str, gone: &str) {
    wait_for(&format!("the route of {pool}"), PATIENCE, || {
        let shown = |pool: &str| site.host.ip_json(&format!("-6 route show {pool}")).unwrap();
        let is_gone = shown(gone).as_array().unwrap().is_empty();
        (shown(pool)[0]["type"] == "unreachable" && is_gone).then_some(())
    });
}

#[test]
fn a_prefix_outside_of_the_pools_is_routed_until_its_client_has_another() {
    let site = Site::start(POOL, BEFORE);
    let client = site.client();
    let held = delegate(&client, 1, &[]);
    assert!(held.starts_with(FIRST));
    wait_routed(&site, &held);

    assert_eq!(
        site.reload_with(&link("br0", PREFIX, POOL, AFTER)),
        ["link.br0.delegation"]
    );
    wait_pool(&site, "fd39:9706:2789::/48", "fd39:9706:2787::/48");
    assert_eq!(
        routed(&site),
        BTreeSet::from([held.clone()]),
        "what was promised is kept"
    );

    let renewed = client.ask_server(RENEW, &[ia_pd(1, &[&held])]).ia_pd(1);
    let (ended, given): (Vec<_>, Vec<_>) = renewed.prefixes.iter().partition(|prefix| prefix.valid == 0);
    assert_eq!(ended.iter().map(|prefix| &prefix.text).collect::<Vec<_>>(), [&held]);
    let [given] = given[..] else { panic!("{renewed:?}") };
    assert!(given.text.starts_with("fd39:9706:2789:"), "{renewed:?}");
    assert!(holds(&site, &client, &given.text) && !holds(&site, &client, &held));
    wait_routed(&site, &given.text);

    // A link that delegates nothing any more keeps what it has promised, too.
    assert_eq!(
        site.reload_with(&link("br0", PREFIX, POOL, "")),
        ["link.br0.delegation"]
    );
    wait_for("the pool to be left", PATIENCE, || {
        let pools = site.host.ip_json("-6 route show fd39:9706:2789::/48").unwrap();
        pools.as_array().unwrap().is_empty().then_some(())
    });
    assert_eq!(routed(&site), BTreeSet::from([given.text.clone()]));
}
