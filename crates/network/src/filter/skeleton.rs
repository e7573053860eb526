//! The constant text of the rules. Its sets and maps are empty: elements come by netlink.

use std::collections::BTreeMap;

/// Causes that the table of bridges counts, as parts of names.
pub(super) const BRIDGE_CAUSES: [&str; 17] = [
    "ethernet",
    "header",
    "routing_header",
    "router_advertisement",
    "redirect",
    "listener_query",
    "dhcp_server",
    "relay",
    "neighbor",
    "source",
    "place",
    "flood",
    "rate",
    "pair",
    "clients",
    "egress",
    "host",
];
/// Causes that the table of routed packets counts.
pub(super) const INET_CAUSES: [&str; 3] = ["pair", "egress", "host"];
/// Different lists of destinations that instances may have.
pub(super) const CLASSES: u8 = 64;

/// Sets and maps of the table that elements are added to.
pub(super) const BRIDGE_SETS: [&str; 39] = [
    "o_role",
    "o_lenient",
    "o_ipv4",
    "o_apart",
    "o_free",
    "o_free_port",
    "o_host",
    "o_host_nd",
    "o_join",
    "o_mac",
    "o_mac_held",
    "o_mac_at",
    "o_cli",
    "o_cli_at",
    "o_cli_mac",
    "o_pd",
    "o_pd_at",
    "o_pd_mac",
    "o_inst_port",
    "o_inst_mac",
    "o_imac",
    "o_inst",
    "o_inst_net",
    "o_taken",
    "o_taken_nd",
    "o_na_i",
    "o_na_c",
    "o_self",
    "o_pair",
    "o_to",
    "o_from",
    "o_near",
    "o_ask",
    "o_asked",
    "o_open_mac",
    "o_open",
    "o_peer",
    "o_rate",
    "o_bytes",
];
/// Sets and maps of the table that elements are added to.
pub(super) const INET_SETS: [&str; 18] = [
    "o_lenient",
    "o_links",
    "o_joined",
    "o_inst",
    "o_inst_net",
    "o_inst_at",
    "o_inside",
    "o_service",
    "o_pair",
    "o_pair_net",
    "o_open",
    "o_peer",
    "o_nat",
    "o_front",
    "o_egress",
    "o_door",
    "o_door_net",
    "o_door_port",
];

const BRIDGE: &str = include_str!("bridge.nft");
const INET: &str = include_str!("inet.nft");

/// The rules of a table of this name, for `nft -f -`. What was there under the name is replaced in one transaction.
pub(super) fn text(table: &str) -> String {
    let version = version();
    let body = |family: &str, body: &str| {
        format!(
            "add table {family} {table}\ndelete table {family} {table}\ntable {family} {table} {{\n  comment \"{version}\"\n{body}}}\n"
        )
    };
    body("bridge", &bridge()) + &body("inet", &inet())
}

/// What the comment of a table says: which text it was made from.
pub(super) fn version() -> String {
    version_of(&(bridge() + &inet()))
}

/// The version of a constant text.
pub(crate) fn version_of(text: &str) -> String {
    // FNV-1a: the same on every machine, and nobody gains from two texts with one version.
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = text.as_bytes().iter().fold(0xcbf2_9ce4_8422_2325, step);
    format!("orchestrator {hash:016x}")
}

/// How many rules each chain has: of bridges, and of routed packets.
pub(super) fn rules() -> [BTreeMap<String, usize>; 2] {
    [count(&bridge()), count(&inet())]
}

fn bridge() -> String {
    BRIDGE.replace("  # CAUSES\n", &BRIDGE_CAUSES.map(bridge_cause).concat())
}

fn inet() -> String {
    let classes: String = (0..CLASSES).map(class).collect();
    let causes = INET_CAUSES.map(inet_cause).concat();
    INET.replace("  # CAUSES\n", &causes).replace("  # CLASSES\n", &classes)
}

fn bridge_cause(cause: &str) -> String {
    format!(
        "  counter c_{cause} {{ }}
  set p_{cause} {{ type ifname; size 65536; flags dynamic,timeout; timeout 1d; counter; }}
  set m_{cause} {{ type ether_addr; size 1048576; flags dynamic,timeout; timeout 1d; counter; }}
  chain no_{cause} {{
    counter name c_{cause}
    update @p_{cause} {{ iifname counter }}
    ether saddr @o_mac update @m_{cause} {{ ether saddr counter }}
    goto refused
  }}
"
    )
}

fn inet_cause(cause: &str) -> String {
    let chain = |way: &str, address: &str, interface: &str| {
        format!(
            "  chain no_{cause}_{way} {{
    counter name c_{cause}
    update @r_{cause} {{ ip6 {address} counter }}
    {interface} @o_lenient accept
    drop
  }}
"
        )
    };
    format!(
        "  counter c_{cause} {{ }}
  set r_{cause} {{ type ipv6_addr; size 1048576; flags dynamic,timeout; timeout 1d; counter; }}
{}{}",
        chain("from", "saddr", "iifname"),
        chain("to", "daddr", "oifname")
    )
}

fn class(number: u8) -> String {
    format!(
        "  set x_{number} {{ type ipv6_addr . inet_proto . inet_service; flags interval; }}
  chain e_{number} {{
    ip6 daddr . meta l4proto . th dport @x_{number} accept
    ip6 daddr . meta l4proto . @th,16,16 @x_{number} accept
  }}
"
    )
}

/// The rules of each chain: its lines but for those that say what it is.
pub(crate) fn count(text: &str) -> BTreeMap<String, usize> {
    let mut rules = BTreeMap::new();
    let mut chain = None;
    for line in text.lines().map(str::trim) {
        let begins = line.strip_prefix("chain ").and_then(|rest| rest.strip_suffix(" {"));
        match (begins, &chain) {
            (Some(name), _) => chain = Some(name.to_owned()),
            (None, Some(_)) if line == "}" => chain = None,
            (None, Some(name)) if !line.starts_with("type ") && !line.starts_with('#') && !line.is_empty() => {
                *rules.entry(name.clone()).or_default() += 1;
            }
            _ => {}
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_a_chain_and_every_chain_that_is_named_exists() {
        let [bridge, inet] = rules();
        for cause in BRIDGE_CAUSES {
            assert_eq!(bridge.get(&format!("no_{cause}")), Some(&4), "{cause}");
        }
        for (rules, text) in [(&bridge, super::bridge()), (&inet, super::inet())] {
            let mut words = text.split_whitespace();
            while let Some(word) = words.next() {
                if matches!(word, "goto" | "jump") {
                    let target = words.next().unwrap_or_default();
                    assert!(rules.contains_key(target), "{target}");
                }
            }
        }
    }

    #[test]
    fn every_set_that_nobody_else_fills_is_listed() {
        for (text, listed) in [(BRIDGE, &BRIDGE_SETS[..]), (INET, &INET_SETS[..])] {
            let declared = text
                .lines()
                .filter(|line| !line.contains("dynamic"))
                .filter_map(|line| {
                    let words: Vec<&str> = line.split_whitespace().collect();
                    matches!(words.first(), Some(&"set" | &"map")).then(|| words[1].to_owned())
                });
            assert_eq!(declared.collect::<Vec<_>>(), listed);
        }
    }

    #[test]
    fn the_text_has_nothing_but_the_name_in_it_that_changes() {
        assert_eq!(text("one").replace("one", "two"), text("two").replace("one", "two"));
        assert!(version().len() < 64, "a comment of a table has at most 128 bytes");
    }
}
