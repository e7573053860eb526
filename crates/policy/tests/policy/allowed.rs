//! What the facts of one owner allow.

use orchestrator_host::{PolicyItem, PortRole};
use orchestrator_model::{Access, Owner, Phase, Rate};
use orchestrator_policy::{derive, derive_links};

use crate::fixture::{address, facts, instance, links, prefix, shown};

/// The access of a template with these keys.
fn access(keys: &str) -> Access {
    let text = format!("[template.a]\nimage = \"a\"\n{keys}");
    let settings = orchestrator_settings::parse(&text, std::iter::empty()).unwrap();
    settings.templates["a"].access.clone()
}

#[test]
fn a_client_speaks_from_its_lease_and_from_where_it_asked_and_with_its_own_instance() {
    let web = instance(1, "web", "fd39::2:1", Access::default());
    assert_eq!(
        shown(&facts(1, &["fd39::1:1"], vec![web]), &links("")),
        [
            "client 52:54:00:00:00:01 fd39::1:1/128: leased by listener",
            "client 52:54:00:00:00:01 fe80::1/128: the client asked for its lease from it",
            "instance 02:6f:00:02:00:01 fd39::2:1/128: instance 070000000031 (web)",
            "instance 02:6f:00:02:00:01 fe80::6f:ff:fe02:1/128: instance 070000000031 (web)",
            "pair fd39::1:1/128 fd39::2:1: its own instance 070000000031 (web)",
            "pair fe80::1/128 fd39::2:1: its own instance 070000000031 (web)",
        ]
    );
}

#[test]
fn a_delegated_prefix_is_the_client_s_source_and_reaches_its_instance() {
    let web = instance(1, "web", "fd39::2:1", Access::default());
    let shown = shown(&facts(1, &["fd77:7::/64"], vec![web]), &links(""));
    assert!(shown.contains(&"client 52:54:00:00:00:01 fd77:7::/64: delegated by listener".to_owned()));
    assert!(shown.contains(&"pair fd77:7::/64 fd39::2:1: its own instance 070000000031 (web)".to_owned()));
}

#[test]
fn a_port_is_bound_only_where_the_link_says_so() {
    let shown = shown(&facts(1, &["fd39::1:1"], Vec::new()), &links("bind_ports = true"));
    assert_eq!(
        shown[0],
        "client 52:54:00:00:00:01 fd39::1:1/128 at tap1: leased by listener"
    );
}

#[test]
fn nothing_is_derived_for_a_link_that_is_not_checked() {
    let settings =
        "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\nisolation = false\n";
    let settings = orchestrator_settings::parse(settings, std::iter::empty()).unwrap();
    let links = orchestrator_policy::Links::of(&settings, Some(address("fd00::1")));
    let web = instance(1, "web", "fd39::2:1", Access::default());
    assert!(derive(&facts(1, &["fd39::1:1"], vec![web]), &links).is_empty());
    assert!(derive_links(&links).is_empty());
}

#[test]
fn nobody_binds_the_link_layer_address_of_an_instance_or_of_a_group() {
    for link_layer in ["02:6f:00:02:00:09", "33:33:00:00:00:01", "00:00:00:00:00:00"] {
        let mut facts = facts(1, &["fd39::1:1"], Vec::new());
        facts.leases[0].granted_to.link_layer = Some(link_layer.parse().unwrap());
        assert!(derive(&facts, &links("")).is_empty(), "{link_layer}");
    }
}

#[test]
fn nobody_asks_from_the_link_local_address_of_an_instance() {
    let mut facts = facts(1, &["fd39::1:1"], Vec::new());
    facts.leases[0].granted_to.link_local = Some(address("fe80::6f:ff:fe02:9"));
    assert_eq!(shown(&facts, &links("")).len(), 1);
}

#[test]
fn a_client_whose_place_nobody_knows_reaches_its_instance_by_its_address_alone_and_has_no_door() {
    let web = instance(1, "web", "fd39::2:1", Access::default());
    let mut facts = facts(1, &["fd39::1:1"], vec![web]);
    facts.leases[0].granted_to = orchestrator_model::GrantedTo::default();
    let entries = derive(&facts, &links("front_door = \"fd39::d0\""));
    let pairs: Vec<_> = entries
        .iter()
        .filter_map(|entry| match &entry.item {
            PolicyItem::Pair(pair) => Some((pair.client, pair.source)),
            _ => None,
        })
        .collect();
    assert_eq!(pairs, [(None, prefix("fd39::1:1/128"))]);
    let is_of_client = |item: &PolicyItem| matches!(item, PolicyItem::Client(_) | PolicyItem::Door(_));
    assert!(!entries.iter().any(|entry| is_of_client(&entry.item)));
}

#[test]
fn the_claimed_link_layer_address_counts_where_no_place_was_recorded() {
    let mut facts = facts(1, &["fd39::1:1"], Vec::new());
    facts.leases[0].granted_to = orchestrator_model::GrantedTo::default();
    facts.link_layer = Some("52:54:00:00:00:07".parse().unwrap());
    assert_eq!(
        shown(&facts, &links("")),
        ["client 52:54:00:00:00:07 fd39::1:1/128: leased by listener"]
    );
}

#[test]
fn a_template_opens_the_world_ports_and_peers() {
    let web = access(
        "egress = [\"2000::/3 tcp/443\", \"64:ff9b::/96\"]\nnat = true\nopen = [\"tcp/80\"]\npeers = [\"db tcp/5432\"]",
    );
    let web = instance(1, "web", "fd39::2:1", web);
    let db = instance(1, "db", "fd39::2:2", access("isolated = false\npacket_rate = 7"));
    let shown = shown(&facts(1, &[], vec![web, db]), &links(""));
    for expected in [
        "egress fd39::2:1 2: egress of template web",
        "nat fd39::2:1: nat of template web",
        "open fd39::2:1 tcp/80: open of template web",
        "peer fd39::2:1 fd39::2:2 tcp/5432: peers of template web",
    ] {
        assert!(shown.contains(&expected.to_owned()), "{expected}: {shown:#?}");
    }
    assert_eq!(shown.iter().filter(|line| line.starts_with("peer")).count(), 1);
}

/// Facts of a client of whose leases the second was granted to another machine: one with other addresses of its own.
fn with_a_stranger() -> orchestrator_policy::OwnerFacts {
    let web = instance(1, "web", "fd39::2:1", Access::default());
    let mut facts = facts(1, &["fd39::1:1", "fd39::1:2"], vec![web]);
    let stranger = crate::fixture::lease(9, "fd39::1:2");
    facts.leases[1].granted_to = stranger.granted_to;
    facts.leases[1].granted = stranger.granted;
    facts
}

#[test]
fn a_stranger_who_uses_a_client_s_duid_has_an_address_and_nothing_of_the_client() {
    let door = links("front_door = \"fd39::d0\"");
    let shown = shown(&with_a_stranger(), &door);
    let of_stranger: Vec<_> = shown.iter().filter(|line| line.contains("fd39::1:2")).collect();
    assert_eq!(
        of_stranger,
        ["client 52:54:00:00:00:09 fd39::1:2/128: leased by listener"]
    );
    assert!(shown.iter().any(|line| line.starts_with("pair fd39::1:1/128")));
    assert!(shown.iter().any(|line| line.starts_with("door fd39::1:1/128")));
}

#[test]
fn a_stranger_s_lease_changes_nothing_of_the_client_in_whatever_order_they_are_read() {
    let mut facts = with_a_stranger();
    let forwards = shown(&facts, &links(""));
    facts.leases.reverse();
    assert_eq!(shown(&facts, &links("")), forwards);
}

#[test]
fn all_leases_of_one_machine_reach_its_instance() {
    let web = instance(1, "web", "fd39::2:1", Access::default());
    let shown = shown(
        &facts(1, &["fd39::1:1", "fd39::1:2", "fd77::/64"], vec![web]),
        &links(""),
    );
    let pairs = shown.iter().filter(|line| line.starts_with("pair"));
    // One for each lease, and one for the link-local address that all were asked from.
    assert_eq!(pairs.collect::<std::collections::BTreeSet<_>>().len(), 4);
}

#[test]
fn a_machine_behind_a_relay_agent_is_told_from_another_behind_the_same() {
    let mut facts = with_a_stranger();
    for lease in &mut facts.leases {
        lease.granted_to.relay = Some(address("fd00::e"));
        lease.granted_to.link_layer = None;
    }
    let pairs = |facts: &orchestrator_policy::OwnerFacts| {
        shown(facts, &links(""))
            .iter()
            .filter(|line| line.starts_with("pair"))
            .count()
    };
    assert_eq!(pairs(&facts), 1);
    facts.leases[1].granted_to.link_local = facts.leases[0].granted_to.link_local;
    assert_eq!(pairs(&facts), 2);
    // The agent says that two machines speak from one address.
    for (lease, number) in facts.leases.iter_mut().zip([1, 9]) {
        lease.granted_to.link_layer = crate::fixture::lease(number, "fd39::1:1").granted_to.link_layer;
    }
    assert_eq!(pairs(&facts), 1);
}

/// A client whose lease came by a relay agent at the port `tap1`, with one ready instance.
fn relayed(link_local: &str, duid: &str) -> orchestrator_policy::OwnerFacts {
    let web = instance(1, "web", "fd39::2:1", Access::default());
    let mut facts = facts(1, &["fd39::1:1"], vec![web]);
    let lease = &mut facts.leases[0];
    lease.granted_to.relay = Some(address("fd39::3"));
    lease.granted_to.link_layer = None;
    lease.granted_to.link_local = Some(address(link_local));
    lease.duid = duid.parse().unwrap();
    facts
}

#[test]
fn a_client_behind_a_trusted_relay_agent_is_bound_to_its_port_and_has_pair_and_door() {
    let with_address = "00:03:00:01:52:54:00:00:00:07";
    for ports in ["relay_ports = [\"tap1\"]", "trusted_ports = [\"tap1\"]"] {
        let links = links(&format!("front_door = \"fd39::d0\"\n{ports}"));
        let shown = shown(&relayed("fe80::1", with_address), &links);
        for expected in [
            "client 52:54:00:00:00:07 fd39::1:1/128 at tap1: leased by listener",
            "client 52:54:00:00:00:07 fe80::1/128 at tap1: the client asked for its lease from it",
            "pair fd39::1:1/128 fd39::2:1: its own instance 070000000031 (web)",
            "door fd39::1:1/128 fd39::2:1 rest: instance 070000000031 (web) is ready",
        ] {
            assert!(shown.contains(&expected.to_owned()), "{expected}: {shown:#?}");
        }
    }
}

#[test]
fn what_the_relay_agent_supplies_counts_before_the_peer_address_and_that_before_the_duid() {
    let links = links("relay_ports = [\"tap1\"]");
    let bound = |facts: &orchestrator_policy::OwnerFacts| {
        let entries = derive(facts, &links);
        entries.into_iter().find_map(|entry| match entry.item {
            PolicyItem::Client(client) => Some(client.mac[5]),
            _ => None,
        })
    };
    let with_address = "00:03:00:01:52:54:00:00:00:07";
    let mut facts = relayed("fe80::5054:ff:fe00:8", with_address);
    assert_eq!(bound(&facts), Some(8));
    facts.leases[0].granted_to.link_layer = Some("52:54:00:00:00:09".parse().unwrap());
    assert_eq!(bound(&facts), Some(9));
    // What is recorded of the client may be another machine's that uses its DUID.
    let mut facts = relayed("fe80::1", with_address);
    facts.link_layer = Some("52:54:00:00:00:66".parse().unwrap());
    assert_eq!(bound(&facts), Some(7));
    assert_eq!(bound(&relayed("fe80::1", "00:04:01:02")), None);
}

#[test]
fn nothing_is_bound_that_came_by_a_relay_agent_at_another_port() {
    for ports in ["", "relay_ports = [\"tap2\"]", "router_ports = [\"tap1\"]"] {
        let links = links(&format!("front_door = \"fd39::d0\"\n{ports}"));
        let entries = derive(&relayed("fe80::1", "00:03:00:01:52:54:00:00:00:07"), &links);
        let is_of_client = |item: &PolicyItem| matches!(item, PolicyItem::Client(_) | PolicyItem::Door(_));
        assert!(!entries.iter().any(|entry| is_of_client(&entry.item)), "{ports}");
    }
}

#[test]
fn a_rate_is_that_of_the_port() {
    let web = access("packet_rate = 7\nbyte_rate = \"1KiB\"");
    assert_eq!(
        web.rate,
        Rate {
            packets: Some(7),
            bytes: Some(1024)
        }
    );
    let web = instance(1, "web", "fd39::2:1", web);
    let entries = derive(&facts(1, &[], vec![web.clone()]), &links(""));
    let rate = entries.iter().find_map(|entry| match &entry.item {
        PolicyItem::Rate(rate) => Some((rate.port.clone(), rate.packets, rate.bytes)),
        _ => None,
    });
    assert_eq!(rate, Some((web.attachments[0].host_end(), Some(7), Some(1024))));
}

#[test]
fn the_front_door_leads_to_the_first_instance_and_named_ports_to_theirs() {
    let door = links("front_door = \"fd39::d0\"");
    let web = instance(1, "web", "fd39::2:1", Access::default());
    let db = instance(1, "db", "fd39::2:2", access("front_door_ports = [\"tcp/5432\"]"));
    let doors = |instances| {
        let all = shown(&facts(1, &["fd39::1:1"], instances), &door);
        all.into_iter()
            .filter(|line| line.starts_with("door"))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        doors(vec![db.clone(), web.clone()]),
        [
            "door fd39::1:1/128 fd39::2:1 rest: instance 070000000031 (web) is ready",
            "door fd39::1:1/128 fd39::2:2 tcp/5432: instance 070000000032 (db) is ready",
        ]
    );
    let plain = instance(1, "db", "fd39::2:2", Access::default());
    assert_eq!(
        doors(vec![plain.clone(), web.clone()]).len(),
        1,
        "the first template takes what no other names"
    );
    let starting = orchestrator_model::Instance {
        phase: Phase::Starting,
        ..web
    };
    assert_eq!(
        doors(vec![plain, starting]),
        ["door fd39::1:1/128 fd39::2:2 rest: instance 070000000032 (db) is ready"]
    );
}

#[test]
fn a_parked_instance_has_a_role_of_its_own() {
    let mut warm = instance(1, "web", "fd39::2:1", Access::default());
    warm.owner = Owner::Pool("warm".to_owned());
    let port = warm.attachments[0].host_end();
    let facts = orchestrator_policy::OwnerFacts {
        instances: vec![warm],
        ..orchestrator_policy::OwnerFacts::nothing(Owner::Pool("warm".to_owned()))
    };
    let role = PortRole::Parked;
    let entries = derive(&facts, &links(""));
    assert!(entries.iter().any(|entry| entry.item
        == PolicyItem::Port {
            port: port.clone(),
            role
        }));
}

#[test]
fn a_link_is_filtered_as_its_settings_say() {
    let links =
        links("enforce = false\nisolate_clients = true\nipv4 = false\nrouter_ports = [\"eth1\"]\nneighbors = true");
    let items: Vec<_> = derive_links(&links).into_iter().map(|entry| entry.item).collect();
    let PolicyItem::Link(link) = &items[0] else {
        panic!("{items:?}")
    };
    assert!(!link.enforce && !link.clients_together && !link.ipv4);
    assert_eq!((link.prefix, link.others), (prefix("fd39::/64"), PortRole::Client));
    assert!(link.unbound, "a host must be seen before anything is bound to it");
    let port = "eth1".to_owned();
    let role = PortRole::Router;
    assert!(items.contains(&PolicyItem::Port { port, role }));
}

#[test]
fn instances_may_ask_the_link_s_address_for_names_and_the_metadata_service() {
    let text = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\nisolation = true\n";
    let settings = orchestrator_settings::parse(text, std::iter::empty()).unwrap();
    let links = orchestrator_policy::Links::of(&settings, Some(address("fd00::1")));
    let services: Vec<String> = derive_links(&links)
        .into_iter()
        .filter_map(|entry| match entry.item {
            PolicyItem::Service { address, traffic } => Some(format!("{address} {traffic}")),
            _ => None,
        })
        .collect();
    assert_eq!(services, ["fd39::1 tcp/53", "fd39::1 udp/53", "fd00::1 tcp/80"]);
}
