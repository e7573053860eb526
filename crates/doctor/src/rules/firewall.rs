//! Other programs' packet filters: Docker's, firewalld's, the operator's.

use std::collections::BTreeSet;

use crate::{Area, Code, Examined, Facts, Finding, FirewallFacts, ForwardChain, Severity};

const AREA: Area = Area::Firewall;

pub(super) fn examine(facts: &Facts) -> Examined {
    let firewall = match &facts.machine {
        Ok(machine) => &machine.firewall,
        Err(reason) => return Examined::unknown(AREA, reason),
    };
    let wanted = match &facts.wanted {
        Ok(wanted) => wanted,
        Err(reason) => return Examined::unknown(AREA, reason),
    };
    let mut examined = Examined::new(AREA, seen(firewall));
    match &firewall.chains {
        Ok(chains) => {
            let bridged = firewall.bridged == Ok(Some(true));
            let routed = !wanted.forwarding.is_empty();
            let drops = chains
                .iter()
                .filter_map(|chain| drops(chain, &wanted.bridges, bridged, routed));
            examined = examined.with(drops);
        }
        Err(reason) => examined = examined.lacking(reason),
    }
    if let Err(reason) = &firewall.bridged {
        examined = examined.lacking(reason);
    }
    match &firewall.legacy {
        Ok(tables) => examined.with(legacy(tables)),
        Err(reason) => examined.lacking(reason),
    }
}

fn seen(firewall: &FirewallFacts) -> String {
    let bridged = match firewall.bridged {
        Ok(Some(true)) => "net.bridge.bridge-nf-call-ip6tables=1",
        Ok(Some(false)) => "net.bridge.bridge-nf-call-ip6tables=0",
        Ok(None) => "bridged packets pass no filter of routed ones",
        Err(_) => "",
    };
    let chains = firewall.chains.as_ref().map_or(0, Vec::len);
    format!("{bridged}, {chains} forward chains of others drop by default")
}

/// Whether a chain drops packets of ours. `bridged`: packets within a bridge pass it, too; `routed`: some of ours are
/// routed.
fn drops(chain: &ForwardChain, bridges: &BTreeSet<String>, bridged: bool, routed: bool) -> Option<Finding> {
    let is_of_bridge = chain.family == "bridge";
    let stops_bridged = is_of_bridge || bridged;
    if !stops_bridged && (!routed || is_of_bridge) {
        return None;
    }
    let unnamed: Vec<&String> = bridges
        .iter()
        .filter(|bridge| !chain.interfaces.contains(*bridge))
        .collect();
    let first = unnamed.first()?;
    let how = match chain.by_policy {
        true => "its policy is drop",
        false => "its last rule drops or rejects",
    };
    let what_is_stopped = match (stops_bridged, routed && !is_of_bridge) {
        (true, true) => "between clients and instances on one bridge, and what this machine routes for them",
        (true, false) => "between clients and instances on one bridge",
        (false, _) => "what this machine routes for clients and instances",
    };
    let finding = Finding::new(Code::ForwardChainDrops, Severity::Error, AREA)
        .what(format!(
            "chain {} of table {} {} drops forwarded packets ({how}), and no rule there names {}",
            chain.chain,
            chain.family,
            chain.table,
            unnamed.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
        ))
        .means(format!("another program's filter drops IPv6 {what_is_stopped}"));
    Some(finding.mend(mend(chain, first, bridged && !routed)))
}

fn mend(chain: &ForwardChain, bridge: &str, only_bridged: bool) -> String {
    let ForwardChain {
        family, table, chain, ..
    } = chain;
    let accept = match (family.as_str(), chain.as_str()) {
        ("ip6", "FORWARD") => {
            format!("ip6tables -I FORWARD -i {bridge} -j ACCEPT; ip6tables -I FORWARD -o {bridge} -j ACCEPT")
        }
        ("bridge", _) => {
            format!("nft insert rule bridge {table} {chain} accept, for the ports of {bridge} (iifname, oifname)")
        }
        _ => format!(
            "nft insert rule {family} {table} {chain} iifname {bridge} accept; nft insert rule {family} {table} {chain} \
             oifname {bridge} accept"
        ),
    };
    match only_bridged {
        true => format!("{accept}; or, if nothing else needs it, sysctl -w net.bridge.bridge-nf-call-ip6tables=0"),
        false => format!("{accept}; keep it where that program keeps its own rules"),
    }
}

fn legacy(tables: &[String]) -> Option<Finding> {
    if !tables.iter().any(|table| table == "filter") {
        return None;
    }
    Some(
        Finding::warning(AREA, Code::LegacyFirewall)
            .what("there is a filter table of ip6tables-legacy, whose rules cannot be read from here")
            .means("if its chain FORWARD drops, packets of clients and instances are dropped as well")
            .mend("ip6tables-legacy -S FORWARD; accept what comes from and goes to the bridges of the links there"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn docker() -> ForwardChain {
        ForwardChain {
            family: "ip6".to_owned(),
            table: "filter".to_owned(),
            chain: "FORWARD".to_owned(),
            by_policy: true,
            interfaces: BTreeSet::from(["docker0".to_owned()]),
        }
    }

    fn found(chain: ForwardChain, bridged: bool, routed: bool) -> Vec<Finding> {
        let mut facts = Facts::healthy();
        facts.machine_mut().firewall.bridged = Ok(Some(bridged));
        facts.machine_mut().firewall.chains = Ok(vec![chain]);
        if !routed {
            facts.wanted.as_mut().unwrap().forwarding.clear();
        }
        examine(&facts).findings
    }

    #[test]
    fn dockers_chain_drops_bridged_packets_where_they_pass_it() {
        let found = found(docker(), true, false);
        assert_eq!(found[0].code, Code::ForwardChainDrops);
        assert!(
            found[0].what.contains("names br0") && found[0].mend.contains("-i br0"),
            "{found:?}"
        );
        assert!(found[0].mend.contains("bridge-nf-call-ip6tables=0"), "{found:?}");
        assert_eq!(found[0].fix, None, "other programs' rules are theirs");
    }

    #[test]
    fn it_drops_routed_packets_in_any_case() {
        assert!(found(docker(), false, true)[0].means.contains("routes for clients"));
        assert_eq!(found(docker(), false, false), []);
    }

    #[test]
    fn a_chain_that_has_a_rule_for_our_bridges_is_no_finding() {
        let mut chain = docker();
        chain.interfaces.insert("br0".to_owned());
        assert_eq!(found(chain, true, true), []);
    }

    #[test]
    fn a_chain_of_the_bridge_family_drops_whatever_the_setting() {
        let chain = ForwardChain {
            family: "bridge".to_owned(),
            ..docker()
        };
        assert_eq!(found(chain.clone(), false, false).len(), 1);
        assert!(
            !found(chain, false, true)[0].means.contains("routes"),
            "it sees no routed packets"
        );
    }

    #[test]
    fn legacy_rules_are_a_warning() {
        let mut facts = Facts::healthy();
        facts.machine_mut().firewall.legacy = Ok(vec!["mangle".to_owned()]);
        assert_eq!(examine(&facts).findings, []);
        facts.machine_mut().firewall.legacy = Ok(vec!["filter".to_owned()]);
        assert_eq!(examine(&facts).findings[0].code, Code::LegacyFirewall);
    }
}
