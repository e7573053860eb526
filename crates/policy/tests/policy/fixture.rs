//! A site in memory: one link with isolation, clients and instances.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_host::PolicyItem;
use orchestrator_model::{
    Access, Attachment, GrantedTo, HostId, Id, Instance, InstanceSpec, Lease, LeaseSource, LeaseState, Leased,
    MacAddress, Owner, Phase, Slot, Times, Timestamp,
};
use orchestrator_policy::{Entry, Links, OwnerFacts, derive};

const LINK: &str = "\
[[link]]
bridge = \"br0\"
address = \"fd39::1/64\"
pool = \"fd39::1:0/112\"
instances = \"fd39::2:0/112\"
template = [\"web\", \"db\"]
isolation = true
[template.web]
image = \"web\"
[template.db]
image = \"db\"
";

/// The links of settings that begin with one link, "br0", with these lines in its table.
pub(crate) fn links(lines: &str) -> Links {
    let text = LINK.replace("isolation = true\n", &format!("isolation = true\n{lines}\n"));
    Links::of(&orchestrator_settings::parse(&text, std::iter::empty()).unwrap(), None)
}

pub(crate) fn address(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

pub(crate) fn prefix(text: &str) -> Ipv6Net {
    text.parse().unwrap()
}

pub(crate) fn client(number: u8) -> Owner {
    Owner::Client(Id::from_bytes([0, 0, 0, 0, 1, number]))
}

/// The link-layer address of a client.
pub(crate) const fn mac(number: u8) -> [u8; 6] {
    [0x52, 0x54, 0, 0, 0, number]
}

/// An active lease of a client, asked for from its own link-layer address and `fe80::NUMBER`.
pub(crate) fn lease(number: u8, leased: &str) -> Lease {
    let leased: Leased = leased.parse().unwrap();
    let Owner::Client(client) = client(number) else {
        unreachable!()
    };
    let link_layer = MacAddress(mac(number)).to_string();
    Lease {
        link: "br0".to_owned(),
        leased,
        client,
        duid: format!("00:03:00:01:{link_layer}").parse().unwrap(),
        iaid: orchestrator_model::Iaid(1),
        source: LeaseSource::Listener,
        state: LeaseState::Active,
        next_hop: None,
        granted_to: GrantedTo {
            link_layer: Some(link_layer.parse().unwrap()),
            link_local: Some(address(&format!("fe80::{number}"))),
            port: Some(format!("tap{number}")),
            relay: None,
        },
        preferred_until: Timestamp(1000),
        valid_until: Timestamp(2000),
        granted: Timestamp(i64::from(number)),
        changed: Timestamp(1),
    }
}

/// A ready instance of a client.
pub(crate) fn instance(number: u8, slot: &str, at: &str, access: Access) -> Instance {
    let id = Id::from_bytes([7, 0, 0, 0, 0, at.as_bytes()[at.len() - 1]]);
    let at = address(at);
    Instance {
        id,
        owner: client(number),
        slot: Slot::new(slot),
        host: Some(HostId::local()),
        template: slot.to_owned(),
        version: 1,
        spec: InstanceSpec {
            access,
            ..InstanceSpec::default()
        },
        phase: Phase::Ready,
        reason: None,
        attempts: 0,
        due: None,
        created: Timestamp(1),
        ready: None,
        changed: Timestamp(1),
        times: Times::default(),
        containers: Vec::new(),
        attachments: vec![Attachment {
            id,
            instance: id,
            container: "main".to_owned(),
            network: "br0".to_owned(),
            bridge: "br0".to_owned(),
            interface: "eth1".to_owned(),
            address: Some(at),
            prefix_length: 64,
            gateway: None,
            isolated: true,
            mac: MacAddress::of(at),
            routed: Vec::new(),
        }],
    }
}

/// The facts of a client.
pub(crate) fn facts(number: u8, leases: &[&str], instances: Vec<Instance>) -> OwnerFacts {
    OwnerFacts {
        leases: leases.iter().map(|leased| lease(number, leased)).collect(),
        instances,
        ..OwnerFacts::nothing(client(number))
    }
}

/// Each thing that is allowed, in short, in the order of the text.
pub(crate) fn shown(facts: &OwnerFacts, links: &Links) -> Vec<String> {
    let mut all: Vec<String> = derive(facts, links).iter().map(show).collect();
    all.sort();
    all
}

fn show(entry: &Entry) -> String {
    let what = match &entry.item {
        PolicyItem::Client(client) => format!(
            "client {} {}{}",
            MacAddress(client.mac),
            client.prefix,
            client.port.iter().map(|port| format!(" at {port}")).collect::<String>()
        ),
        PolicyItem::Instance(one) => format!("instance {} {}", MacAddress(one.mac), one.prefix),
        PolicyItem::Pair(pair) => format!("pair {} {}", pair.source, pair.instance.address),
        PolicyItem::Peer { from, to, traffic } => format!("peer {} {} {traffic}", from.address, to.address),
        PolicyItem::Open { to, traffic } => format!("open {} {traffic}", to.address),
        PolicyItem::Door(door) => format!(
            "door {} {} {}",
            door.source,
            door.instance,
            door.traffic.map_or("rest".to_owned(), |traffic| traffic.to_string())
        ),
        PolicyItem::Egress { address, to } => format!("egress {address} {}", to.len()),
        PolicyItem::Nat { address } => format!("nat {address}"),
        other => format!("{other:?}"),
    };
    format!("{what}: {}", entry.why)
}
