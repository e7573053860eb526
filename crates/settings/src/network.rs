//! `[[network]]`: a bridge with a prefix and without clients, for further interfaces of instances.

use ipnet::Ipv6Net;

use super::check;
use super::fault::{Collector, nearest, one_of};
use super::link;
use super::prefix::{overlap, parse_bridge, parse_link_address, parse_range};
use super::reader::{Entry, Table};

/// The largest number of networks.
const MOST_NETWORKS: usize = 256;

/// A bridge with a prefix and without clients, for further interfaces of instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkSettings {
    /// Its name, by which templates refer to it. No other network and no link has it.
    pub name: String,
    /// Its bridge. No other network and no link uses it.
    pub bridge: String,
    /// Whether the daemon creates the bridge if it is missing.
    pub create: bool,
    /// Its prefix. It does not overlap the prefix of another network or of a link.
    pub prefix: Ipv6Net,
    /// This machine's own address on the network with the prefix length; `None` if it has none.
    pub address: Option<Ipv6Net>,
    /// Addresses for instances, inside the prefix.
    pub instances: Ipv6Net,
    /// Whether instances on it reach only this machine and not one another.
    pub isolated: bool,
    /// The largest packet in bytes, for the interfaces on the bridge, and for the bridge if the daemon created it.
    /// `None` leaves the kernel's default.
    pub mtu: Option<u32>,
}

/// The keys of a network that could be read, even if others have faults.
pub(super) struct Outline {
    key: String,
    name: Option<String>,
    bridge: Option<String>,
    pub(super) prefix: Option<Ipv6Net>,
    prefix_key: &'static str,
}

/// Reads every network; `None` stands for one with a fault.
pub(super) fn read_all(root: &mut Table<'_>) -> Vec<(Outline, Option<NetworkSettings>)> {
    let networks = root.take("network").and_then(|entry| entry.list(MOST_NETWORKS));
    let tables = networks.into_iter().flatten().filter_map(Entry::table);
    tables.map(read).collect()
}

fn read(mut table: Table<'_>) -> (Outline, Option<NetworkSettings>) {
    let remedy = "take 1 to 15 letters, digits and dashes";
    let name = table.need("name", "name the network as templates shall call it, like \"storage\"");
    let name = name.and_then(|entry| entry.parse(remedy, parse_bridge));
    let bridge = match table.take("bridge") {
        Some(entry) => entry.parse(remedy, parse_bridge),
        None => name.clone(),
    };
    let create = table.take("create").map_or(Some(true), Entry::flag);
    let (prefix_key, address, prefix) = read_prefix(&mut table);
    let instances = read_instances(&mut table, prefix, address);
    let isolated = table.take("isolated").map_or(Some(false), Entry::flag);
    let mtu = table.take("mtu").map(|entry| entry.whole::<u32>(1280..=65_535));
    let outline = Outline {
        key: table.path().to_owned(),
        name: name.clone(),
        bridge: bridge.clone(),
        prefix,
        prefix_key,
    };
    table.finish();
    let settings = || {
        Some(NetworkSettings {
            name: name?,
            bridge: bridge?,
            create: create?,
            prefix: prefix?,
            address,
            instances: instances?,
            isolated: isolated?,
            mtu: match mtu {
                Some(mtu) => Some(mtu?),
                None => None,
            },
        })
    };
    (outline, settings())
}

/// Reads `address` or `prefix`. Returns which key has the prefix, this machine's address, and the prefix.
fn read_prefix(table: &mut Table<'_>) -> (&'static str, Option<Ipv6Net>, Option<Ipv6Net>) {
    let remedy = "give this machine's address there with the length of the prefix, like \"fd39:9706:2786:7000::1/64\"; or, \
                  where it is to have none, the `prefix` alone";
    let own = table
        .take("address")
        .map(|entry| entry.parse(remedy, parse_link_address));
    let alone = table
        .take("prefix")
        .map(|entry| entry.parse("write it like \"fd39:9706:2786:7000::/64\"", parse_network_prefix));
    match (own, alone) {
        (Some(own), None) => ("address", own, own.map(|own| own.trunc())),
        (None, Some(prefix)) => ("prefix", None, prefix),
        (None, None) => {
            table.fault("address", "is missing", remedy);
            ("address", None, None)
        }
        (Some(own), Some(_)) => {
            table.fault("prefix", "is said by `address` already", "keep one of the two");
            ("address", own, own.map(|own| own.trunc()))
        }
    }
}

fn parse_network_prefix(text: &str) -> Result<Ipv6Net, String> {
    let prefix = parse_range(text)?;
    // The first address of the prefix stands for any: a fault of the one is a fault of the other.
    let inside = Ipv6Net::new(
        std::net::Ipv6Addr::from_bits(prefix.addr().to_bits() | 1),
        prefix.prefix_len(),
    );
    let inside = inside.map_err(|error| error.to_string())?;
    parse_link_address(&inside.to_string())
        .map(|_| prefix)
        .map_err(|_| format!("{prefix} cannot be the prefix of a network"))
}

fn read_instances(table: &mut Table<'_>, prefix: Option<Ipv6Net>, address: Option<Ipv6Net>) -> Option<Ipv6Net> {
    let remedy = "name a range inside the network's prefix, like \"fd39:9706:2786:7000::1:0/112\"";
    let range = table.need("instances", remedy)?.parse(remedy, parse_range)?;
    let held = address.or(prefix);
    if let Some((what, remedy)) = held.and_then(|held| check::misplaced(range, held, "network")) {
        table.fault("instances", what, remedy);
    }
    Some(range)
}

/// Checks that no name and no bridge is used twice, and that no address belongs to two links or networks.
pub(super) fn check_apart(networks: &[Outline], links: &[link::Outline], faults: &Collector) {
    for (index, network) in networks.iter().enumerate() {
        for earlier in networks.iter().take(index) {
            network.check_beside(
                &earlier.key,
                earlier.name.as_ref(),
                earlier.bridge.as_ref(),
                earlier.prefix,
                faults,
            );
        }
        for link in links {
            let bridge = link.name.as_ref().filter(|_| link.named_by == "bridge");
            network.check_beside(&link.key, link.name.as_ref(), bridge, link.prefix, faults);
            for (place, pool) in link.delegated.iter().enumerate() {
                if let Some(prefix) = network.prefix.filter(|prefix| overlap(prefix, pool)) {
                    let what = format!("{prefix} overlaps {pool} of {}.delegation[{place}]", link.key);
                    let remedy = "give the network a prefix that is delegated to nobody";
                    faults.at(format!("{}.{}", network.key, network.prefix_key), what, remedy);
                }
            }
        }
    }
}

impl Outline {
    fn check_beside(
        &self,
        other: &str,
        name: Option<&String>,
        bridge: Option<&String>,
        prefix: Option<Ipv6Net>,
        faults: &Collector,
    ) {
        let fault = |key: &str, what: String, remedy: &str| faults.at(format!("{}.{key}", self.key), what, remedy);
        if self.name.is_some() && self.name.as_ref() == name {
            fault(
                "name",
                format!("is the name of {other} already"),
                "give each network a name that no other network and no link has",
            );
        }
        if self.bridge.is_some() && self.bridge.as_ref() == bridge {
            fault(
                "bridge",
                format!("is the bridge of {other} already"),
                "give each network a bridge of its own",
            );
        }
        if let (Some(own), Some(taken)) = (self.prefix, prefix)
            && overlap(&own, &taken)
        {
            fault(
                self.prefix_key,
                format!("{own} overlaps {taken} of {other}"),
                "give each network a prefix of its own",
            );
        }
    }
}

/// Checks that every network that a template of the settings names exists.
pub(super) fn check_known<'a>(
    named: impl Iterator<Item = (&'a str, &'a [String])>,
    networks: &[Outline],
    faults: &Collector,
) {
    for (template, wanted) in named {
        let known = networks.iter().filter_map(|network| network.name.as_deref());
        check_named(&format!("template.{template}"), wanted, known, faults);
    }
}

/// Checks that every network that the template at this path names is among `known`.
pub(super) fn check_named<'a>(
    path: &str,
    wanted: &[String],
    known: impl Iterator<Item = &'a str> + Clone,
    faults: &Collector,
) {
    for (place, name) in wanted.iter().enumerate() {
        if let Some((what, remedy)) = find_unknown(name, known.clone()) {
            faults.at(format!("{path}.networks[{place}]"), what, remedy);
        }
    }
}

/// The fault of a network's name in a template, with its remedy; `None` if the name is among `known`.
fn find_unknown<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<(String, String)> {
    if known.clone().any(|known| known == name) {
        return None;
    }
    let remedy = match nearest(name, known.clone()) {
        Some(meant) => format!("did you mean {meant:?}?"),
        None if known.clone().next().is_none() => format!("describe it under [[network]] with name = {name:?}"),
        None => format!("describe it under [[network]], or name {}", one_of(known)),
    };
    Some((format!("there is no network {name:?}"), remedy))
}

#[cfg(test)]
mod tests {
    use crate::{Settings, parse};

    const LINK: &str = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n\
                        [[link.delegation]]\npool = \"fd40::/48\"\n";

    fn read(text: &str) -> Result<Settings, Vec<String>> {
        let settings = parse(&format!("{LINK}{text}"), std::iter::empty());
        settings.map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn little_is_enough() {
        let settings = read(
            "[[network]]\nname = \"storage\"\naddress = \"fd50::1/64\"\ninstances = \"fd50::1:0/112\"\n\
             [[network]]\nname = \"silent\"\nbridge = \"br9\"\nprefix = \"fd51::/64\"\ninstances = \"fd51::1:0/112\"\n\
             create = false\nisolated = true\nmtu = 9000\n\
             [template.web]\nimage = \"a\"\nnetworks = [\"storage\", \"silent\"]",
        )
        .unwrap();
        let [storage, silent] = &settings.networks[..] else {
            panic!("{:?}", settings.networks)
        };
        assert_eq!(
            (storage.bridge.as_str(), storage.create, storage.isolated),
            ("storage", true, false)
        );
        assert_eq!(storage.prefix.to_string(), "fd50::/64");
        assert_eq!(
            (silent.address, silent.mtu, silent.bridge.as_str()),
            (None, Some(9000), "br9")
        );
        assert_eq!(settings.templates["web"].networks, ["storage", "silent"]);
    }

    #[test]
    fn all_faults_are_said_together() {
        let faults = read(
            "[[network]]\nname = \"br0\"\naddress = \"fd39::7/64\"\ninstances = \"fd50::/112\"\n\
             [[network]]\nbridge = \"x\"\nprefix = \"fe80::/64\"\naddress = \"fd50::1/64\"\nmtu = 7\n\
             [[network]]\nname = \"y\"\nbridge = \"x\"\nprefix = \"fd40:0:0:7::/64\"\ninstances = \"fd40:0:0:7::/112\"\n\
             isolate = true\n\
             [[network]]\nname = \"z\"\ninstances = \"fd51::1:0/112\"\n\
             [template.web]\nimage = \"a\"\nnetworks = [\"yy\", \"storage\"]",
        )
        .unwrap_err();
        let expected = [
            "network[0].instances: fd50::/112 is not inside the network's prefix fd39::/64; take a range inside fd39::/64",
            "network[1].name: is missing; name the network as templates shall call it, like \"storage\"",
            "network[1].prefix: fe80::/64 cannot be the prefix of a network; write it like \"fd39:9706:2786:7000::/64\"",
            "network[1].prefix: is said by `address` already; keep one of the two",
            "network[1].instances: is missing; name a range inside the network's prefix, like \"fd39:9706:2786:7000::1:0/112\"",
            "network[1].mtu: 7 is out of bounds; take 1280 to 65535",
            "network[2].instances: fd40:0:0:7::/112 holds fd40:0:0:7::, which every router answers to \
             (RFC 4291, section 2.6.1); take a range inside fd40:0:0:7::/64 without it",
            "network[2].isolate: is not a key that is known here; did you mean \"isolated\"?",
            "network[3].address: is missing; give this machine's address there with the length of the prefix, like \
             \"fd39:9706:2786:7000::1/64\"; or, where it is to have none, the `prefix` alone",
            "network[0].name: is the name of link[0] already; give each network a name that no other network and no link has",
            "network[0].bridge: is the bridge of link[0] already; give each network a bridge of its own",
            "network[0].address: fd39::/64 overlaps fd39::/64 of link[0]; give each network a prefix of its own",
            "network[2].bridge: is the bridge of network[1] already; give each network a bridge of its own",
            "network[2].prefix: fd40:0:0:7::/64 overlaps fd40::/48 of link[0].delegation[0]; \
             give the network a prefix that is delegated to nobody",
            "template.web.networks[0]: there is no network \"yy\"; did you mean \"y\"?",
            "template.web.networks[1]: there is no network \"storage\"; describe it under [[network]], or name \"br0\", \"y\" \
             or \"z\"",
        ];
        assert_eq!(faults, expected);
    }
}
