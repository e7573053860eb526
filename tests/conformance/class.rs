//! Client classes over a real link: they choose pool, prefixes and options.

use std::net::Ipv6Addr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use orchestrator_wire::{
    CLIENT_ARCHITECTURE, DNS_SERVERS, INTERFACE_ID, LINK_LAYER_ADDRESS, REMOTE_ID, REQUEST, SUBSCRIBER_ID, USER_CLASS,
    ia_na, ia_pd_hint, option, option_request, user_class, vendor_class,
};

use crate::client::{Client, SERVER_PORT};
use crate::relay::{Relay, here};
use crate::site::{POOL, PREFIX, Site, hex, link};

const CLASSES: &str = r#"
[[class]]
name = "vendor"
match = { vendor_enterprise = 9, vendor_class = "box-*" }
dns_servers = ["fd00::1"]
[[class]]
name = "user"
match = { user_class = "phone" }
dns_servers = ["fd00::2"]
[[class]]
name = "architecture"
match = { architecture = [7, 9] }
[[class]]
name = "remote"
match = { remote_enterprise = 9, remote_id = "port-*" }
[[class]]
name = "interface"
match = { interface_id = "0x0007" }
[[class]]
name = "subscriber"
match = { subscriber_id = "alice" }
[[class]]
name = "link-layer"
match = { link_layer_address = "02:00:5f" }
"#;

const LINES: &str = r#"
dns_servers = ["fd00::53"]
[[link.class_pool]]
class = "user"
pool = "fd39:9706:2786:6333::3:0/112"
[[link.delegation]]
pool = "fd39:9706:2787::/48"
[[link.delegation]]
pool = "fd39:9706:2788::/48"
class = "user"
"#;

/// The site that these tests share, one test at a time.
fn classed() -> MutexGuard<'static, Site> {
    static SITE: OnceLock<Mutex<Site>> = OnceLock::new();
    let start = || {
        let link = link("br0", PREFIX, POOL, LINES);
        Mutex::new(Site::start_with(&format!("{CLASSES}{link}")))
    };
    SITE.get_or_init(start).lock().unwrap_or_else(PoisonError::into_inner)
}

fn phone() -> Vec<u8> {
    user_class(&["x", "phone"])
}

/// The class that the daemon shows for a client.
fn shown(site: &Site, client: &Client) -> Option<String> {
    let duid = hex(&client.duid);
    let clients = site.daemon.items("/v1/clients?limit=1000").unwrap();
    let own = clients.iter().find(|shown| shown["duid"] == duid.as_str());
    own.expect("the client is known")["class"].as_str().map(str::to_owned)
}

fn is_of_class_pool(address: Ipv6Addr) -> bool {
    address.to_string().starts_with(&format!("{PREFIX}::3:"))
}

#[test]
fn clients_are_classed_by_what_they_say() {
    let site = classed();
    for (options, class) in [
        (vec![vendor_class(9, &["box-7"])], Some("vendor")),
        (vec![vendor_class(8, &["box-7"])], None),
        (vec![vendor_class(9, &["other"]), phone()], Some("user")),
        // The first one that fits.
        (vec![phone(), vendor_class(9, &["box-7"])], Some("vendor")),
        (vec![option(CLIENT_ARCHITECTURE, &[0, 9])], Some("architecture")),
        // What only relays tell is not believed of clients, and what is not well formed is nothing.
        (
            vec![
                option(SUBSCRIBER_ID, b"alice"),
                option(USER_CLASS, b"phone"),
                option(CLIENT_ARCHITECTURE, &[9]),
            ],
            None,
        ),
        (vec![], None),
    ] {
        let client = site.client();
        client.ask_server(REQUEST, &[&[ia_na(1, &[])], &options[..]].concat());
        assert_eq!(shown(&site, &client).as_deref(), class, "{options:?}");
    }
}

#[test]
fn clients_are_classed_by_what_their_relay_says() {
    let site = classed();
    for (told, class) in [
        (option(REMOTE_ID, b"\x00\x00\x00\x09port-1"), Some("remote")),
        (option(REMOTE_ID, b"\x00\x00\x00\x08port-1"), None),
        (option(INTERFACE_ID, &[0, 7]), Some("interface")),
        (option(SUBSCRIBER_ID, b"alice"), Some("subscriber")),
        (
            option(LINK_LAYER_ADDRESS, &[0, 1, 2, 0, 0x5f, 1, 2, 3]),
            Some("link-layer"),
        ),
        (option(LINK_LAYER_ADDRESS, &[0, 1, 2, 0, 0x60, 1, 2, 3]), None),
    ] {
        let (relay, client) = (Relay::on(&site, SERVER_PORT), site.client());
        let layers = [(0, here(), vec![told.clone()])];
        let reply = relay.ask(&client, REQUEST, &[client.server_id(), ia_na(1, &[])], &layers);
        reply.ia(1).leased();
        assert_eq!(shown(&site, &client).as_deref(), class, "{told:?}");
    }
}

#[test]
fn a_class_has_its_pools_and_its_options() {
    let site = classed();
    let octets = |address: &str| address.parse::<Ipv6Addr>().unwrap().octets().to_vec();
    for (options, is_own, server) in [
        (vec![phone()], true, "fd00::2"),
        (vec![vendor_class(9, &["box-7"])], false, "fd00::1"),
        (vec![], false, "fd00::53"),
    ] {
        let client = site.client();
        let wanted = [ia_na(1, &[]), ia_pd_hint(1, None), option_request(&[DNS_SERVERS])];
        let reply = client.ask_server(REQUEST, &[&wanted[..], &options[..]].concat());
        assert_eq!(is_of_class_pool(reply.ia(1).leased().ip), is_own, "{reply:?}");
        let prefix = reply.ia_pd(1).delegated().text;
        assert_eq!(prefix.starts_with("fd39:9706:2788:"), is_own, "{reply:?}");
        assert_eq!(reply.options.get(DNS_SERVERS), Some(&octets(server)[..]), "{reply:?}");
    }
}

#[test]
fn another_class_s_address_is_not_given_on_request() {
    let site = classed();
    let hint: Ipv6Addr = format!("{PREFIX}::3:7").parse().unwrap();
    assert!(!is_of_class_pool(site.client().request(1, &[hint]).leased().ip));
    let member = site.client();
    let reply = member.ask_server(REQUEST, &[ia_na(1, &[hint]), phone()]);
    assert_eq!(reply.ia(1).leased().ip, hint);
}
