//! Reservations over a real link: from the settings and through the API, and the Reconfigure that tells of them.

use std::net::Ipv6Addr;

use orchestrator_lab::wait_for;
use orchestrator_wire::{
    INTERFACE_ID, REBIND, RECONFIGURE, RECONFIGURE_ACCEPT, RELEASE, RENEW, REQUEST, SOLICIT, ia_na, ia_pd, ia_pd_hint,
    option,
};
use serde_json::{Value, json};

use crate::client::{Client, SERVER_PORT};
use crate::prefix::route::routed;
use crate::relay::{Relay, here};
use crate::site::{PATIENCE, POOL, PREFIX, Site, hex, link, new_duid, on_link};

/// In no pool.
fn kept() -> Ipv6Addr {
    on_link("::7:7")
}

/// Reserves through the API; the answer's status and what it says.
fn reserve(site: &Site, what: &Value) -> (u16, Value) {
    site.daemon.send("POST", "/v1/reservations", what).unwrap()
}

#[track_caller]
fn reserved(site: &Site, what: &Value) -> String {
    let (status, made) = reserve(site, what);
    assert_eq!((status, &made["in_force"]), (201, &json!(true)), "{made}");
    made["id"].as_str().unwrap().to_owned()
}

/// What a client has after it renewed this, and what has ended.
fn renew(client: &Client, own: Ipv6Addr) -> (Ipv6Addr, Vec<Ipv6Addr>) {
    let ia = client.ask_server(RENEW, &[ia_na(1, &[own])]).ia(1);
    (ia.leased().ip, ia.ended())
}

#[test]
fn those_of_the_settings_are_given_to_their_clients_alone() {
    let duid = [0, 2, 0, 0, 0xab, 0x11, 0xff, 1];
    let lines = format!(
        "[[link.delegation]]\npool = \"fd39:9706:2787::/48\"\n\
         [[link.reservation]]\nduid = \"{}\"\naddress = \"{}\"\nprefix = \"fd39:9706:2787:700::/56\"\n\
         [[link.reservation]]\ninterface_id = \"0x0007\"\naddress = \"{}\"\n",
        hex(&duid),
        kept(),
        on_link("::7:8"),
    );
    let site = Site::start(POOL, &lines);
    let other = site.client();
    let reply = other.ask_server(REQUEST, &[ia_na(1, &[kept()]), ia_pd_hint(1, None)]);
    assert_ne!(reply.ia(1).leased().ip, kept());
    let client = site.client_with(&duid);
    let reply = client.ask_server(REQUEST, &[ia_na(1, &[]), ia_pd_hint(1, None)]);
    assert_eq!(reply.ia(1).leased().ip, kept());
    assert_eq!(reply.ia_pd(1).delegated().text, "fd39:9706:2787:700::/56");
    assert_eq!(site.lease(kept()).unwrap()["state"], "active");

    let (relay, behind) = (Relay::on(&site, SERVER_PORT), site.client());
    let layers = [(0, here(), vec![option(INTERFACE_ID, &[0, 7])])];
    let reply = relay.ask(&behind, REQUEST, &[behind.server_id(), ia_na(1, &[])], &layers);
    assert_eq!(reply.ia(1).leased().ip, on_link("::7:8"));

    let shown = site.daemon.items("/v1/reservations").unwrap();
    let of = |kept: Ipv6Addr| shown.iter().find(|shown| shown["address"] == kept.to_string()).unwrap();
    assert_eq!(
        (&of(kept())["id"], &of(kept())["duid"]),
        (&Value::Null, &json!(hex(&duid)))
    );
    assert_eq!(of(on_link("::7:8"))["interface_id"], "0x0007");
    // What stands against them is refused.
    let (status, problem) = reserve(&site, &json!({"link": "br0", "duid": "00:02:01", "address": kept()}));
    assert_eq!(
        (status, &problem["code"]),
        (409, &json!("already-reserved")),
        "{problem}"
    );
}

#[test]
fn one_that_is_made_counts_from_the_next_message_on() {
    let site = Site::start(POOL, "");
    let (client, other) = (site.client(), site.client());
    let before = client.lease(1);
    let id = reserved(
        &site,
        &json!({"link": "br0", "duid": hex(&client.duid), "address": kept()}),
    );
    assert_eq!(other.solicit(1, &[kept()]).leased().ip, other.lease(1));
    assert_eq!(renew(&client, before), (kept(), vec![before]));
    let state = |address: Ipv6Addr| site.lease(address).unwrap()["state"].clone();
    assert_eq!((state(kept()), state(before)), (json!("active"), json!("released")));

    let (status, removed) = site.daemon.api("DELETE", &format!("/v1/reservations/{id}")).unwrap();
    assert_eq!((status, &removed["in_force"]), (200, &json!(false)));
    let (after, ended) = renew(&client, kept());
    assert_eq!(ended, [kept()]);
    assert_ne!(after, kept());
    let (status, _) = site.daemon.api("DELETE", &format!("/v1/reservations/{id}")).unwrap();
    assert_eq!(status, 404);
}

/// Who holds it goes at its next renewal; until then the client has another.
#[test]
fn what_another_holds_is_given_when_that_one_has_left_it() {
    let site = Site::start(POOL, "");
    let (client, holder) = (site.client(), site.client());
    let held = holder.lease(1);
    reserved(
        &site,
        &json!({"link": "br0", "duid": hex(&client.duid), "address": held}),
    );
    let own = client.lease(1);
    assert_ne!(own, held);
    let (moved, ended) = renew(&holder, held);
    assert_eq!(ended, [held]);
    assert_ne!(moved, held);
    assert_eq!(renew(&client, own), (held, vec![own]));
    assert!(site.holds(&client, held) && !site.holds(&holder, held));
}

/// Also where no prefixes are delegated otherwise.
#[test]
fn a_reserved_prefix_is_routed_to_its_client_and_unreachable_without_it() {
    let of_settings = "fd39:9706:2787:700::/56";
    let duid = [0, 2, 0, 0, 0xab, 0x11, 0xff, 2];
    let lines = format!(
        "[[link.reservation]]\nduid = \"{}\"\nprefix = \"{of_settings}\"\n",
        hex(&duid)
    );
    let site = Site::start(POOL, &lines);
    let of_api = "fd39:9706:2788::/64";
    let (one, other) = (site.client_with(&duid), site.client());
    reserved(
        &site,
        &json!({"link": "br0", "duid": hex(&other.duid), "prefix": of_api}),
    );
    let leads_to = |prefix: &str, to: &Value| {
        wait_for(&format!("{prefix} to lead to {to}"), PATIENCE, || {
            let routes = site.host.ip_json(&format!("-6 route show {prefix} proto 111")).unwrap();
            let routes = routes.as_array().unwrap();
            let told = |route: &Value| route["gateway"] == *to && (to.is_string() || route["type"] == "unreachable");
            routes.iter().any(told).then_some(())
        });
    };
    for (prefix, client) in [(of_settings, &one), (of_api, &other)] {
        leads_to(prefix, &Value::Null);
        let reply = client.ask_server(REQUEST, &[ia_pd_hint(1, None)]);
        assert_eq!(reply.ia_pd(1).delegated().text, prefix);
        leads_to(prefix, &json!(client.address));
        client.ask_server(RELEASE, &[ia_pd(1, &[prefix])]);
        wait_for("the route to go", PATIENCE, || {
            (!routed(&site).contains(prefix)).then_some(())
        });
        leads_to(prefix, &Value::Null);
    }
}

#[test]
fn it_outlives_the_daemon() {
    let mut site = Site::start(POOL, "");
    let client = site.client();
    reserved(
        &site,
        &json!({"link": "br0", "duid": hex(&client.duid), "address": kept()}),
    );
    site.daemon.stop().unwrap();
    site.resume();
    assert_eq!(client.lease(1), kept());
}

/// A reload of settings that have what stands against it puts it out of force, and another brings it back.
#[test]
fn the_settings_go_before_what_was_made_through_the_api() {
    let mut site = Site::start(POOL, "");
    let client = site.client();
    reserved(
        &site,
        &json!({"link": "br0", "duid": hex(&client.duid), "address": kept()}),
    );
    let other = site.client();
    let lines = format!(
        "[[link.reservation]]\nduid = \"{}\"\naddress = \"{}\"\n",
        hex(&other.duid),
        kept()
    );
    for (lines, in_force, holder) in [(lines.as_str(), false, &other), ("", true, &client)] {
        site.restart_with(&link("br0", PREFIX, POOL, lines));
        let shown = site.daemon.items("/v1/reservations").unwrap();
        let made = shown.iter().find(|shown| !shown["id"].is_null()).unwrap();
        assert_eq!(made["in_force"], in_force, "{shown:?}");
        let first = [&client, &other].map(|client| client.solicit(1, &[]).leased().ip == kept());
        assert_eq!(first, [std::ptr::eq(holder, &client), std::ptr::eq(holder, &other)]);
    }
}

#[test]
fn a_client_that_accepts_it_is_made_to_ask_for_what_is_reserved() {
    let site = Site::start(POOL, "reconfigure = true");
    let client = site.client();
    let accept = option(RECONFIGURE_ACCEPT, &[]);
    let offered = client.ask(SOLICIT, &[ia_na(1, &[]), accept.clone()]).ia(1).leased().ip;
    let reply = client.ask_server(REQUEST, &[ia_na(1, &[offered]), accept]);
    assert_eq!(reply.ia(1).leased().ip, offered);
    reserved(
        &site,
        &json!({"link": "br0", "duid": hex(&client.duid), "address": kept()}),
    );
    let (bytes, _) = crate::client::receive(&client.socket);
    assert_eq!(bytes[0], RECONFIGURE);
    assert_eq!(renew(&client, offered), (kept(), vec![offered]));
}

#[test]
fn what_cannot_be_reserved_is_refused_and_said_why() {
    let site = Site::start(POOL, "");
    for (what, status, code) in [
        (
            json!({"link": "br0", "duid": "00:02:01", "address": "fd00::1"}),
            422,
            "refused",
        ),
        (
            json!({"link": "br0", "duid": "00:02:01", "address": on_link("::1")}),
            422,
            "refused",
        ),
        (
            json!({"link": "br9", "duid": "00:02:01", "address": kept()}),
            422,
            "refused",
        ),
        (
            json!({"link": "br0", "duid": "00:02:01", "prefix": "fd39:9706:2786:6333::/64"}),
            422,
            "refused",
        ),
        (json!({"link": "br0", "duid": "00:02:01"}), 422, "refused"),
        (json!({"link": "br0", "address": kept()}), 400, "bad-body"),
        (
            json!({"link": "br0", "duid": "00:02:01", "interface_id": "a", "address": kept()}),
            400,
            "bad-body",
        ),
        (json!({"link": "br0", "duid": "x", "address": kept()}), 400, "bad-body"),
        (
            json!({"link": "br0", "duid": "00:02:01", "adress": kept()}),
            400,
            "bad-body",
        ),
    ] {
        let (got, problem) = reserve(&site, &what);
        assert_eq!(
            (got, problem["code"].as_str()),
            (status, Some(code)),
            "{what}: {problem}"
        );
    }
    assert!(site.daemon.items("/v1/reservations").unwrap().is_empty());
}

#[test]
fn the_command_line_makes_lists_and_removes_them() {
    let site = Site::start(POOL, "");
    let client = site.client();
    let run = |line: &str| {
        let output = site.daemon.cli(&line.split(' ').collect::<Vec<_>>()).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let add = format!(
        "reservation add --link br0 --duid {} --address {}",
        hex(&client.duid),
        kept()
    );
    let (code, made, _) = run(&add);
    assert_eq!(code, Some(0), "{made}");
    assert_eq!(client.lease(1), kept());
    let (code, _, fault) = run(&add);
    assert_eq!(code, Some(1));
    assert!(fault.contains("already-reserved"), "{fault}");
    let (_, listed, _) = run("reservation list --link br0");
    let line = listed.lines().last().unwrap();
    assert!(
        line.contains(&kept().to_string()) && line.trim_end().ends_with("api"),
        "{listed}"
    );
    let id = line.split(' ').next().unwrap();
    assert_eq!(run(&format!("reservation remove {id}")).0, Some(0));
    assert_eq!(run(&format!("reservation remove {id}")).0, Some(3));
    let (_, listed, _) = run("reservation list -o json");
    assert_eq!(listed.trim(), "[]");
}

/// Two interfaces of one machine on one link: the DUID is the same, and each has an IAID of its own.
fn two_interfaces(site: &Site) -> [Client; 2] {
    let duid = new_duid();
    let second = site.connect("second");
    [site.client_with(&duid), site.client_on(&second, &duid)]
}

#[test]
fn a_reserved_address_belongs_to_one_association_at_a_time_also_after_a_restart() {
    let mut site = Site::start(POOL, "");
    let [first, second] = two_interfaces(&site);
    reserved(
        &site,
        &json!({"link": "br0", "duid": hex(&first.duid), "address": kept()}),
    );
    assert_eq!(first.lease(1), kept());
    let other = second.lease(2);
    assert_ne!(other, kept(), "the first interface holds it");
    for restart in [false, true] {
        if restart {
            site.daemon.kill9();
            site.resume();
        }
        // The second interface gets it in no way while the first one holds it.
        assert_eq!(second.request(2, &[kept()]).leased().ip, other);
        assert_eq!(
            second.request(3, &[kept()]).leased().ip,
            second.request(3, &[]).leased().ip
        );
        assert_ne!(second.request(3, &[kept()]).leased().ip, kept());
        let rebound = second.ask(REBIND, &[ia_na(2, &[kept()])]).ia(2);
        assert_eq!((rebound.leased().ip, rebound.ended()), (other, vec![kept()]));
        let unknown = second.ask(REBIND, &[ia_na(9, &[kept()])]).ia(9);
        assert!(
            unknown
                .addresses
                .iter()
                .all(|address| address.ip != kept() || address.valid == 0)
        );
        assert_eq!(renew(&first, kept()), (kept(), vec![]));
        let own = site.lease(kept()).unwrap();
        assert_eq!((&own["state"], &own["iaid"]), (&json!("active"), &json!(1)));
    }
    // It is given back: the other interface comes to it.
    first.tell(RELEASE, 1, kept());
    let moved = second.ask_server(RENEW, &[ia_na(2, &[other])]).ia(2);
    assert_eq!((moved.leased().ip, moved.ended()), (kept(), vec![other]));
    assert_ne!(first.lease(1), kept());
}

/// The holder's machine was installed anew, and its interface has another IAID since.
#[test]
fn a_reserved_address_and_prefix_move_when_their_holder_asks_under_another_iaid() {
    let site = Site::start(POOL, "");
    let [first, second] = two_interfaces(&site);
    let prefix = "fd39:9706:2788::/64";
    reserved(
        &site,
        &json!({"link": "br0", "duid": hex(&first.duid), "address": kept(), "prefix": prefix}),
    );
    let ask = |client: &Client, iaid| {
        let reply = client.ask_server(REQUEST, &[ia_na(iaid, &[]), ia_pd_hint(iaid, None)]);
        let delegated = reply.ias_pd()[0].prefixes.first().map(|own| own.text.clone());
        (reply.ia(iaid).leased().ip, delegated)
    };
    assert_eq!(ask(&first, 1), (kept(), Some(prefix.to_owned())));
    let (other, none) = ask(&second, 2);
    assert!(other != kept() && none.is_none(), "{other}, {none:?}");
    assert_eq!(ask(&first, 7), (kept(), Some(prefix.to_owned())));
    assert_eq!(site.lease(kept()).unwrap()["iaid"], 7);
    assert_eq!(ask(&second, 2), (other, None));
}
