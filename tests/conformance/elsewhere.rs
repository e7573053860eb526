//! Links that are not here: relay agents on a trusted interface speak for their clients (section 13.1).
//!
//! ```text
//!   machine ── br0 ─ host ─ up0 ── eth0 ▸ router ▸ eth1 ── client of "dorm"
//! ```

use std::net::Ipv6Addr;

use orchestrator_lab::{Dhclient, Link, Namespace, Program, wait_for};
use orchestrator_wire::{INTERFACE_ID, RELAY_REPL, RENEW, REQUEST, Relayed, SOLICIT, ia_na, message, option};

use crate::client::{Client, SERVER_PORT};
use crate::reconfigure;
use crate::relay::{Layer, NOWHERE, Relay, here, wrap};
use crate::site::{LINK, PATIENCE, POOL, PREFIX, Site, link, new_duid, off_link};

/// The prefix of the other link, but for its last group.
const DORM: &str = "fd39:9706:2786:6334";

/// A site with another link behind a router, which is on `up0`.
struct Campus {
    site: Site,
    router: Namespace,
}

impl Campus {
    fn start() -> Self {
        let site = Site::start_with(&links(""));
        let router = site.lab.namespace("router").unwrap();
        router.disable_dad().unwrap();
        router.connect("eth0", &site.host, "up0", None).unwrap();
        site.host.ip("address add fe80::1/64 dev up0 nodad").unwrap();
        let campus = Self { site, router };
        campus.trust("up0");
        campus
    }

    /// Has the daemon serve the other link through relay agents on this interface.
    fn trust(&self, interface: &str) {
        self.site.reload_with(&links(interface));
        let condition = format!("relays {interface}");
        wait_for("relay agents to be heard", PATIENCE, || {
            let (status, ready) = self.site.daemon.api("GET", "/v1/ready").ok()?;
            let bridge = interface == "br0" || ready["conditions"].to_string().contains(&condition);
            (status == 200 && bridge).then_some(())
        });
    }

    fn relay(&self) -> Relay {
        Relay::at(&self.site, &self.router, SERVER_PORT)
    }

    fn client(&self) -> Client {
        self.site.client_on(&self.router, &new_duid())
    }

    /// The server's identifier, as a client of `br0` learns it.
    fn server_id(&self) -> Vec<u8> {
        self.site.client().server_id()
    }

    /// How many messages were discarded for this reason.
    fn discarded(&self, reason: &str) -> u64 {
        self.site.counts().discarded.get(reason).copied().unwrap_or(0)
    }

    /// A message is discarded for this reason, and for no other.
    fn assert_discarded(&self, reason: &str, send: impl FnOnce()) {
        let before = self.site.counts();
        send();
        wait_for(&format!("a message to be discarded: {reason}"), PATIENCE, || {
            (self.discarded(reason) > before.discarded.get(reason).copied().unwrap_or(0)).then_some(())
        });
        assert_eq!(self.site.counts().answered, before.answered);
    }
}

/// The link of `br0`; and, where an interface is trusted, the one that is elsewhere.
fn links(trusted: &str) -> String {
    links_with(trusted, "")
}

/// The same, with lines for the link that is elsewhere.
fn links_with(trusted: &str, lines: &str) -> String {
    let local = link("br0", PREFIX, POOL, "");
    if trusted.is_empty() {
        return format!("[source.listener]\nrelays = []\n{local}");
    }
    let dorm = Link::elsewhere("dorm", DORM)
        .lines("rapid_commit = false\nclient_rate = 0")
        .lines(lines)
        .text();
    format!("[source.listener]\nrelays = [\"{trusted}\"]\n{local}{dorm}")
}

fn dorm() -> Ipv6Addr {
    format!("{DORM}::1").parse().unwrap()
}

/// Asks for an address through these layers; it is recorded on this link.
fn assert_leased(campus: &Campus, relay: &Relay, client: &Client, layers: &[Layer], prefix: &str, link: &str) {
    let asked = relay.ask(client, REQUEST, &[campus.server_id(), ia_na(1, &[])], layers);
    let leased = asked.ia(1).leased().ip;
    assert!(leased.to_string().starts_with(prefix), "{leased} for {layers:?}");
    assert_eq!(campus.site.lease(leased).unwrap()["link"], link);
}

#[test]
fn row_26_a_link_that_is_elsewhere_is_chosen_by_the_innermost_link_address() {
    let campus = Campus::start();
    let relay = campus.relay();
    for layers in [
        vec![(0, dorm(), vec![])],
        vec![(0, Ipv6Addr::UNSPECIFIED, vec![]), (1, dorm(), vec![])],
        vec![(0, dorm(), vec![]), (1, here(), vec![])],
    ] {
        assert_leased(&campus, &relay, &campus.client(), &layers, DORM, "dorm");
    }
    // The same relay agent speaks for the link that is here.
    assert_leased(&campus, &relay, &campus.client(), &[(0, here(), vec![])], PREFIX, "br0");
    // A client of both is two: an association is of a link.
    let both = campus.client();
    assert_leased(&campus, &relay, &both, &[(0, dorm(), vec![])], DORM, "dorm");
    assert_leased(&campus, &relay, &both, &[(0, here(), vec![])], PREFIX, "br0");
    assert_eq!(campus.site.leases_of(&both).len(), 2);
}

#[test]
fn row_69_a_client_elsewhere_is_reconfigured_through_the_port_of_its_relay() {
    let campus = Campus::start();
    let (relay, client) = (campus.relay(), campus.client());
    let asked = [campus.server_id(), ia_na(1, &[]), reconfigure::accept()];
    let leased = relay.ask(&client, REQUEST, &asked, &[(0, dorm(), vec![])]);
    let key = reconfigure::authentication(&leased).unwrap();
    assert_eq!(reconfigure::ask(&campus.site, &client, ""), (202, None));
    let layer = Relayed::parse(&relay.receive());
    assert_eq!(
        (layer.kind, layer.link, layer.peer),
        (RELAY_REPL, dorm(), client.address)
    );
    let server = campus.server_id();
    assert_eq!(reconfigure::check(&client, &server, &key, &layer.inner).0, RENEW);
}

#[test]
fn row_27_nobody_is_given_an_address_of_a_wrong_link() {
    let campus = Campus::start();
    let (relay, client) = (campus.relay(), campus.client());
    let request = message(REQUEST, client.xid(), &[client.id(), campus.server_id(), ia_na(1, &[])]);
    campus.assert_discarded("other-link", || {
        relay.send(&wrap(&client, &request, &[(0, off_link(), vec![])]));
    });
    // With no link address it is the link of the interface, and this one is none.
    campus.assert_discarded("not-relayed", || {
        relay.send(&wrap(&client, &request, &[(0, Ipv6Addr::UNSPECIFIED, vec![])]));
    });
    campus.assert_discarded("not-relayed", || {
        let solicit = message(SOLICIT, client.xid(), &[client.id(), ia_na(1, &[])]);
        client.send(&solicit);
    });
    assert!(campus.site.leases_of(&client).is_empty());
}

#[test]
fn who_is_on_a_link_speaks_for_others_only_where_that_is_trusted() {
    let campus = Campus::start();
    let site = &campus.site;
    let (relay, client) = (Relay::on(site, SERVER_PORT), site.client());
    let request = message(REQUEST, client.xid(), &[client.id(), client.server_id(), ia_na(1, &[])]);
    campus.assert_discarded("other-link", || {
        relay.send(&wrap(&client, &request, &[(0, dorm(), vec![])]));
    });
    campus.trust("br0");
    assert_leased(&campus, &relay, &client, &[(0, dorm(), vec![])], DORM, "dorm");
    // An interface that is no longer trusted is no longer listened on.
    wait_for("the port to be closed", PATIENCE, || {
        let ready = campus.site.daemon.api("GET", "/v1/ready").ok()?.1;
        (!ready["conditions"].to_string().contains("relays up0")).then_some(())
    });
}

#[test]
fn a_bindings_home_is_its_link_also_after_a_restart() {
    let mut campus = Campus::start();
    let (relay, client) = (campus.relay(), campus.client());
    let layers = [(0, dorm(), vec![])];
    let options = [campus.server_id(), ia_na(1, &[])];
    let leased = relay.ask(&client, REQUEST, &options, &layers).ia(1).leased().ip;
    campus.site.daemon.kill9();
    campus.site.resume();
    let again = relay.ask(&client, REQUEST, &options, &layers).ia(1).leased().ip;
    assert_eq!(again, leased);
}

#[test]
fn an_interface_that_comes_later_is_heard_then() {
    let campus = Campus::start();
    campus.site.reload_with(&links("up1"));
    wait_for("the daemon to say what it waits for", PATIENCE, || {
        let (status, ready) = campus.site.daemon.api("GET", "/v1/ready").ok()?;
        (status == 503 && ready["conditions"].to_string().contains("interface up1 is missing")).then_some(())
    });
    campus.site.host.ip("link set up0 down").unwrap();
    campus.site.host.ip("link set up0 name up1").unwrap();
    campus.site.host.ip("link set up1 up").unwrap();
    campus.site.host.ip("address replace fe80::1/64 dev up1 nodad").unwrap();
    campus.trust("up1");
    assert_leased(
        &campus,
        &campus.relay(),
        &campus.client(),
        &[(0, dorm(), vec![])],
        DORM,
        "dorm",
    );
}

#[test]
fn a_client_behind_isc_dhcp_relay_is_served_on_a_link_that_is_elsewhere() {
    let campus = Campus::start();
    let (site, router) = (&campus.site, &campus.router);
    let machine = site.lab.namespace("client").unwrap();
    machine.disable_dad().unwrap();
    machine.connect("eth0", router, "eth1", None).unwrap();
    router.ip(&format!("address add {DORM}::1/64 dev eth1 nodad")).unwrap();
    // Across a network of its own, to the server's address.
    router.ip("address add 2001:db8:1::2/64 dev eth0 nodad").unwrap();
    site.host.ip("address add 2001:db8:1::1/64 dev up0 nodad").unwrap();
    let mut command = router.command("dhcrelay");
    command.args(["-6", "-d", "--no-pid", "-I", "-l", "eth1", "-u", "2001:db8:1::1%eth0"]);
    let mut program = Program::start(command, &site.lab.directory().join("dhcrelay.log")).unwrap();
    program
        .poll("the relay to listen", PATIENCE, || {
            router.has_udp(SERVER_PORT).then_some(())
        })
        .unwrap();
    let mut client = Dhclient::boot(&machine, "eth0").unwrap();
    let leased = client.address(PATIENCE).unwrap();
    assert!(
        leased.to_string().starts_with(DORM),
        "{leased}, and {LINK} is not its link"
    );
    let lease = site.lease(leased).unwrap();
    assert_eq!(
        (lease["link"].as_str(), lease["state"].as_str()),
        (Some("dorm"), Some("active"))
    );
    client.release().unwrap();
    wait_for("the release", PATIENCE, || {
        (site.lease(leased)?["state"] == "released").then_some(())
    });
}

/// A link address that any number of relay agents may give.
fn link_local() -> Ipv6Addr {
    "fe80::8".parse().unwrap()
}

#[test]
fn row_08_a_link_local_link_address_leaves_the_choice_to_the_outer_relay() {
    let campus = Campus::start();
    let relay = campus.relay();
    for layers in [
        vec![(0, link_local(), vec![]), (1, dorm(), vec![])],
        vec![(0, NOWHERE, vec![]), (1, link_local(), vec![]), (2, dorm(), vec![])],
    ] {
        assert_leased(&campus, &relay, &campus.client(), &layers, DORM, "dorm");
    }
    let client = campus.client();
    let request = message(REQUEST, client.xid(), &[client.id(), campus.server_id(), ia_na(1, &[])]);
    campus.assert_discarded("not-relayed", || {
        relay.send(&wrap(&client, &request, &[(0, link_local(), vec![])]));
    });
}

#[test]
fn row_08_a_key_of_the_link_chooses_it_by_the_relays_address_and_interface_id() {
    let campus = Campus::start();
    let relay = campus.relay();
    let port = |name: &[u8]| vec![option(INTERFACE_ID, name)];
    let keys = [
        (
            "interface_id = \"vlan 7\"".to_owned(),
            vec![(0, NOWHERE, port(b"vlan 7"))],
        ),
        (
            "interface_id = \"0x0007\"".to_owned(),
            vec![(0, link_local(), port(b"\0\x07"))],
        ),
        ("address = \"fe80::8\"".to_owned(), vec![(0, link_local(), vec![])]),
        // The address that it sends from; behind another relay that one tells it.
        (format!("address = \"{}\"", relay.address), vec![(0, NOWHERE, vec![])]),
        (
            "address = \"2001:db8::1\"".to_owned(),
            vec![(0, NOWHERE, vec![]), (1, NOWHERE, vec![])],
        ),
        // A link address that is in no link's prefix.
        (format!("address = \"{}\"", off_link()), vec![(0, off_link(), vec![])]),
        (
            "address = \"fe80::8\"\ninterface_id = \"vlan 7\"".to_owned(),
            vec![(0, link_local(), port(b"vlan 7"))],
        ),
        // The relay that is nearest to the client decides.
        (
            "interface_id = \"vlan 7\"".to_owned(),
            vec![(0, NOWHERE, port(b"vlan 7")), (1, here(), vec![])],
        ),
    ];
    let client = campus.client();
    let server = campus.server_id();
    for (key, layers) in keys {
        println!("{key}");
        campus.site.reload_with(&links("up0"));
        let request = message(REQUEST, client.xid(), &[client.id(), server.clone(), ia_na(1, &[])]);
        let goes_elsewhere = layers.iter().any(|layer| layer.1 == here());
        if !goes_elsewhere {
            let reason = if layers[0].1 == off_link() {
                "other-link"
            } else {
                "not-relayed"
            };
            campus.assert_discarded(reason, || relay.send(&wrap(&client, &request, &layers)));
        }
        let changed = campus
            .site
            .reload_with(&links_with("up0", &format!("[[link.relay]]\n{key}\n")));
        assert_eq!(changed, ["link.dorm.relay"]);
        assert_leased(&campus, &relay, &campus.client(), &layers, DORM, "dorm");
    }
    // Only where all that the key says fits.
    let both = "[[link.relay]]\naddress = \"fe80::8\"\ninterface_id = \"vlan 7\"\n";
    campus.site.reload_with(&links_with("up0", both));
    for layer in [
        (0, link_local(), port(b"vlan 8")),
        (0, link_local(), vec![]),
        (0, NOWHERE, port(b"vlan 7")),
    ] {
        let request = message(REQUEST, client.xid(), &[client.id(), server.clone(), ia_na(1, &[])]);
        campus.assert_discarded("not-relayed", || relay.send(&wrap(&client, &request, &[layer])));
    }
}

#[test]
fn row_08_a_key_of_another_link_is_believed_only_where_relays_are_trusted() {
    let campus = Campus::start();
    campus
        .site
        .reload_with(&links_with("up0", "[[link.relay]]\ninterface_id = \"vlan 7\"\n"));
    let (site, layers) = (&campus.site, [(0, NOWHERE, vec![option(INTERFACE_ID, b"vlan 7")])]);
    let (relay, client) = (Relay::on(site, SERVER_PORT), site.client());
    let request = message(REQUEST, client.xid(), &[client.id(), client.server_id(), ia_na(1, &[])]);
    campus.assert_discarded("other-link", || relay.send(&wrap(&client, &request, &layers)));
    assert!(site.leases_of(&client).is_empty());
    site.reload_with(&links_with("br0", "[[link.relay]]\ninterface_id = \"vlan 7\"\n"));
    assert_leased(&campus, &relay, &client, &layers, DORM, "dorm");
}
