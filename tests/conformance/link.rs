//! Which link a message is from, and how the answer goes back (sections 7.2, 13.1, 16 and 18.3.10): rows 21, 25 and 66.

use std::net::Ipv6Addr;

use orchestrator_wire::{INFORMATION_REQUEST, SOLICIT, ia_na, message};

use crate::client::{Client, bind};
use crate::hostile::KINDS;
use crate::site::{PREFIX, Site, connect, link, new_duid, plain};

/// The link-local address of the host's bridge.
pub(crate) fn bridge_address(site: &Site) -> Ipv6Addr {
    let shown = site.host.ip_json("address show dev br0").unwrap();
    let mut addresses = shown[0]["addr_info"].as_array().unwrap().iter();
    let link_local = addresses.find(|address| address["scope"] == "link").unwrap();
    link_local["local"].as_str().unwrap().parse().unwrap()
}

#[test]
fn row_21_unicast_is_not_accepted() {
    let site = plain();
    let client = site.client();
    site.machine
        .ip(&format!("route replace {PREFIX}::/64 dev eth0"))
        .unwrap();
    let leased = client.lease(1);
    for to in [bridge_address(&site), crate::site::LINK.parse().unwrap()] {
        for kind in KINDS.into_iter().chain([INFORMATION_REQUEST]) {
            let (mut counts, leases) = (site.counts(), site.leases());
            client.send_to(&client.about(kind, &[ia_na(1, &[leased])]), to);
            client.solicit(1, &[]).leased();
            counts.answered += 1;
            *counts.discarded.entry("unicast".to_owned()).or_default() += 1;
            assert_eq!(site.counts(), counts, "{kind} to {to}");
            assert_eq!(site.leases(), leases);
        }
    }
}

#[test]
fn row_25_a_client_is_on_the_link_of_the_interface_that_hears_it() {
    const OTHER: &str = "fd39:9706:2786:7777";
    let links =
        link("br0", PREFIX, &format!("{PREFIX}::1:0/112"), "") + &link("br1", OTHER, &format!("{OTHER}::1:0/112"), "");
    let site = Site::start_with(&links);
    let elsewhere = connect(&site.lab, &site.host, "elsewhere", "br1");
    let duid = new_duid();
    let (here, there) = (site.client_with(&duid), site.client_on(&elsewhere, &duid));
    let (first, second) = (here.lease(1), there.lease(1));
    assert!(first.to_string().starts_with(PREFIX), "{first}");
    assert!(second.to_string().starts_with(OTHER), "{second}");
    assert!(
        site.holds(&here, first) && site.holds(&here, second),
        "one client on two links holds both"
    );
}

#[test]
fn row_25_a_message_from_an_address_that_is_not_link_local_is_not_accepted() {
    let site = plain();
    let global: Ipv6Addr = "2001:db8::5".parse().unwrap();
    site.machine
        .ip(&format!("address replace {global}/128 dev eth0 nodad"))
        .unwrap();
    let client = site.client();
    let stranger = Client::at(&site.machine, global, new_duid());
    let mut counts = site.counts();
    stranger.send(&message(SOLICIT, stranger.xid(), &[stranger.id(), ia_na(1, &[])]));
    client.solicit(1, &[]).leased();
    counts.answered += 1;
    *counts.discarded.entry("not-link-local".to_owned()).or_default() += 1;
    assert_eq!(site.counts(), counts);
}

#[test]
fn row_66_the_answer_goes_to_the_clients_port_and_comes_from_the_servers() {
    let site = plain();
    let client = site.client();
    // A relay on the same machine, say, may send from another port: the answer is for the client's.
    let (other, _) = bind(&site.machine, client.address, 5546);
    let to = std::net::SocketAddrV6::new(crate::client::ALL_AGENTS, 547, 0, client.index);
    let xid = client.xid();
    other
        .send_to(&message(SOLICIT, xid, &[client.id(), ia_na(1, &[])]), to)
        .unwrap();
    let (answer, from) = client.receive_from();
    assert_eq!(answer.xid, xid);
    let std::net::SocketAddr::V6(from) = from else {
        panic!("{from} is not IPv6")
    };
    assert_eq!(
        (*from.ip(), from.port(), from.scope_id()),
        (bridge_address(&site), 547, client.index)
    );
}
