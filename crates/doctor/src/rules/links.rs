//! Other servers and routers of a link, and the routers that the machine itself follows there.

use super::list;
use crate::{Area, Code, Examined, Facts, Finding, MachineFacts, OtherFacts, OtherKind, Wanted};

const AREA: Area = Area::Links;
/// The most servers or routers of a link that have a finding each. A stranger could invent any number.
const MOST: usize = 8;

pub(super) fn examine(facts: &Facts) -> Examined {
    let (wanted, machine) = match (&facts.wanted, &facts.machine) {
        (Ok(wanted), Ok(machine)) => (wanted, machine),
        (Err(reason), _) | (_, Err(reason)) => return Examined::unknown(AREA, reason),
    };
    let examined = Examined::new(AREA, list(&wanted.bridges));
    let examined = match accepting(wanted, machine) {
        Ok(findings) => examined.with(findings),
        Err(reason) => examined.lacking(reason),
    };
    match &facts.others {
        Ok(others) => examined.with(wanted.bridges.iter().flat_map(|link| seen_on(link, others))),
        Err(reason) => examined.lacking(reason),
    }
}

/// The findings about others on a link: servers first.
fn seen_on(link: &str, others: &[OtherFacts]) -> Vec<Finding> {
    let of_kind = |kind: OtherKind| {
        let found: Vec<&OtherFacts> = others
            .iter()
            .filter(|one| one.link == link && one.kind == kind)
            .collect();
        let more = found.len().saturating_sub(MOST);
        let shown = found
            .iter()
            .take(MOST)
            .map(|one| format!("{} at {}: {}", one.link, one.at, one.detail));
        let more = (more > 0).then(|| format!("{link}: {more} more, which `orchestrator events` shows"));
        shown
            .chain(more)
            .map(|what| finding(link, kind, what))
            .collect::<Vec<_>>()
    };
    [OtherKind::Server, OtherKind::Router].map(of_kind).concat()
}

fn finding(link: &str, kind: OtherKind, what: String) -> Finding {
    let (code, means, asks) = match kind {
        OtherKind::Server => (
            Code::OtherServer,
            "clients whose packets it gets take an address from whichever server they like",
            "answers",
        ),
        OtherKind::Router => (
            Code::OtherRouter,
            "clients that get its advertisements may send through it, unless the rules of the link drop them",
            "advertises",
        ),
    };
    Finding::warning(AREA, code).what(what).means(means).mend(format!(
        "`orchestrator check` asks which one {asks} on {link} at this moment; take its port off the bridge"
    ))
}

/// The bridges on which the machine follows any router.
fn accepting<'f>(wanted: &'f Wanted, machine: &'f MachineFacts) -> Result<Vec<Finding>, &'f String> {
    let (accepting, routed) = (machine.accepting.as_ref()?, machine.routed.as_ref()?);
    let own = accepting.iter().filter(|name| wanted.bridges.contains(*name));
    let findings = own.map(|name| accepts(name, routed.iter().any(|routed| routed.name == *name)));
    Ok(findings.collect())
}

/// `follows` says whether the machine has a default route by one.
fn accepts(bridge: &str, follows: bool) -> Finding {
    let setting = format!("net.ipv6.conf.{bridge}.accept_ra");
    let now = match follows {
        true => ", and has its default route from one",
        false => "",
    };
    Finding::warning(AREA, Code::RouterAccepted)
        .what(format!("this machine takes router advertisements on {bridge} ({setting}){now}"))
        .means(
            "a machine that may send them there gives this one a default route and addresses; the rules of the link drop \
             those of clients and instances, and not those of other ports",
        )
        .mend(format!(
            "sysctl -w {setting}=0, and in /etc/sysctl.d for the next start; leave it if a router on this bridge is to \
             lead this machine"
        ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn other(kind: OtherKind) -> OtherFacts {
        OtherFacts {
            link: "br0".to_owned(),
            kind,
            at: "2027-01-01T00:00:00Z".to_owned(),
            detail: "another router, fe80::1 (02:00:00:00:00:01), advertises itself on the link, at the bridge port p1"
                .to_owned(),
        }
    }

    #[test]
    fn other_servers_and_routers_that_were_seen_are_named() {
        let mut facts = Facts::healthy();
        facts.others = Ok(vec![other(OtherKind::Server), other(OtherKind::Router)]);
        let found = examine(&facts).findings;
        let codes: Vec<Code> = found.iter().map(|one| one.code).collect();
        assert_eq!(codes, [Code::OtherServer, Code::OtherRouter]);
        assert!(
            found[1]
                .what
                .starts_with("br0 at 2027-01-01T00:00:00Z: another router, fe80::1 "),
            "{}",
            found[1].what
        );
        facts.wanted.as_mut().unwrap().bridges.clear();
        assert_eq!(examine(&facts).findings, [], "it is no link of the settings");
    }

    #[test]
    fn many_that_somebody_invented_are_counted() {
        let mut facts = Facts::healthy();
        facts.others = Ok(vec![other(OtherKind::Router); MOST + 3]);
        let found = examine(&facts).findings;
        assert_eq!(found.len(), MOST + 1);
        assert!(found[MOST].what.contains("br0: 3 more"), "{}", found[MOST].what);
    }

    #[test]
    fn a_bridge_on_which_any_router_is_followed_is_named() {
        let mut facts = Facts::healthy();
        facts.machine_mut().accepting = Ok(BTreeSet::from(["br0", "eth0"].map(str::to_owned)));
        let found = examine(&facts).findings;
        assert_eq!(found.len(), 1, "eth0 is no bridge of a link: {found:?}");
        assert!(
            found[0].mend.contains("net.ipv6.conf.br0.accept_ra=0"),
            "{}",
            found[0].mend
        );
        assert!(!found[0].what.contains("default route"), "{}", found[0].what);
        facts.machine_mut().routed.as_mut().unwrap()[0].name = "br0".to_owned();
        let found = examine(&facts).findings;
        assert!(
            found[0].what.ends_with("has its default route from one"),
            "{}",
            found[0].what
        );
    }

    #[test]
    fn what_could_not_be_read_is_said_beside_the_rest() {
        let mut facts = Facts::healthy();
        facts.machine_mut().accepting = Err("nobody may read it".to_owned());
        facts.others = Ok(vec![other(OtherKind::Server)]);
        let examined = examine(&facts);
        assert_eq!((examined.findings.len(), examined.is_complete), (1, false));
        facts.others = Err("the database is away".to_owned());
        assert!(examine(&facts).seen.contains("the database is away"));
    }
}
