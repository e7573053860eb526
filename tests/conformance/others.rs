//! Other DHCPv6 servers and routers on the link are counted, logged, and in the timeline.

use std::net::{Ipv6Addr, SocketAddrV6};

use orchestrator_lab::wait_for;
use orchestrator_wire::{ADVERTISE, CLIENT_ID, REQUEST, SERVER_ID, ia_na, message, option};
use serde_json::Value;

use crate::client::{CLIENT_PORT, SERVER_PORT, bind};
use crate::site::{PATIENCE, POOL, PREFIX, Site, link};

/// A site on whose bridge no relay agent is trusted.
fn start() -> Site {
    Site::start_with(&format!(
        "[source.listener]\nrelays = []\n{}",
        link("br0", PREFIX, POOL, "")
    ))
}

fn events(site: &Site) -> Vec<Value> {
    let mut events = site.daemon.items("/v1/events?after=0&limit=1000").unwrap();
    events.retain(|event| event["kind"] == "other-server");
    events
}

#[test]
fn a_server_that_answers_clients_behind_a_port_is_told_of_with_its_port() {
    let site = start();
    let (client, rogue) = (site.client(), site.connect("rogue"));
    let address: Ipv6Addr = "fe80::bad".parse().unwrap();
    rogue.ip(&format!("address add {address}/64 dev eth0 nodad")).unwrap();
    let (server, index) = bind(&rogue, address, SERVER_PORT);
    let offer = message(
        ADVERTISE,
        client.xid(),
        &[
            option(CLIENT_ID, &client.duid),
            option(SERVER_ID, &[0, 2, 9, 9, 9, 9, 1]),
        ],
    );
    let to = SocketAddrV6::new(client.address, CLIENT_PORT, 0, index);
    let event = wait_for("the timeline to tell of it", PATIENCE, || {
        server.send_to(&offer, to).unwrap();
        client.send(&client.about(orchestrator_wire::SOLICIT, &[ia_na(1, &[])]));
        events(&site).pop()
    });
    let detail = event["detail"].as_str().unwrap();
    assert!(detail.contains("fe80::bad") && detail.contains("p-rogue"), "{detail}");
    assert_eq!((&event["link"], &event["client"]), (&"br0".into(), &Value::Null));
    assert!(site.daemon.log().contains("another DHCPv6 server, fe80::bad"));
    assert_eq!(events(&site).len(), 1, "once an hour");
    let metrics = site.daemon.ask("GET", "/metrics").unwrap().text();
    assert!(
        !metrics.contains("orchestrator_dhcp6_other_servers_total 0"),
        "{metrics}"
    );
}

#[test]
fn a_client_that_has_taken_another_server_s_offer_is_told_of() {
    let site = start();
    let client = site.client();
    let foreign = option(SERVER_ID, &[0, 2, 9, 9, 9, 9, 1]);
    client.send(&message(REQUEST, client.xid(), &[client.id(), foreign, ia_na(1, &[])]));
    let event = wait_for("the timeline to tell of it", PATIENCE, || events(&site).pop());
    let detail = event["detail"].as_str().unwrap();
    assert!(detail.contains(&client.address.to_string()), "{detail}");
}
