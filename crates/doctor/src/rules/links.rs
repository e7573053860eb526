//! Who else serves or leads the clients of a link, and whom the machine itself follows there.

use super::list;
use crate::{Area, Code, Examined, Facts, Finding, MachineFacts, OtherFacts, OtherKind, Wanted};

const AREA: Area = Area::Links;

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
        Ok(others) => examined.with(others.iter().map(seen)),
        Err(reason) => examined.lacking(reason),
    }
}

fn seen(other: &OtherFacts) -> Finding {
    let OtherFacts { link, at, detail, .. } = other;
    match other.kind {
        OtherKind::Server => Finding::warning(AREA, Code::OtherServer)
            .what(format!("another DHCPv6 server was seen on {link} at {at}: {detail}"))
            .means("clients whose packets it gets take an address from whichever server they like")
            .mend(format!(
                "stop it, or take its port off the bridge; `orchestrator check` asks who answers on {link} at this moment"
            )),
        OtherKind::Router => Finding::warning(AREA, Code::OtherRouter)
            .what(format!("another router was seen on {link} at {at}: {detail}"))
            .means("clients that get its advertisements may send through it, unless the rules of the link drop them")
            .mend(format!(
                "take its port off the bridge if it should not be there; `orchestrator check` asks who advertises on \
                 {link} at this moment"
            )),
    }
}

/// The bridges on which the machine follows any router. Where it has its own default route from one, somebody wants that.
fn accepting<'f>(wanted: &'f Wanted, machine: &'f MachineFacts) -> Result<Vec<Finding>, &'f String> {
    let (accepting, routed) = (machine.accepting.as_ref()?, machine.routed.as_ref()?);
    let own = accepting.iter().filter(|name| wanted.bridges.contains(*name));
    let unwanted = own.filter(|name| !routed.iter().any(|routed| routed.name == **name));
    Ok(unwanted.map(|name| accepts(name)).collect())
}

fn accepts(bridge: &str) -> Finding {
    let setting = format!("net.ipv6.conf.{bridge}.accept_ra");
    Finding::warning(AREA, Code::RouterAccepted)
        .what(format!("this machine takes router advertisements on {bridge} ({setting})"))
        .means(
            "whoever may send them there gives this machine a default route and addresses; the rules of the link drop those \
             of clients and instances, and not those of other ports",
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
    use crate::AreaState;

    fn other(kind: OtherKind) -> OtherFacts {
        OtherFacts {
            link: "br0".to_owned(),
            kind,
            at: "2027-01-01T00:00:00Z".to_owned(),
            detail: "fe80::1 at the bridge port p1".to_owned(),
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
                .contains("br0 at 2027-01-01T00:00:00Z: fe80::1 at the bridge port p1")
        );
    }

    #[test]
    fn a_bridge_on_which_any_router_is_followed_is_named_unless_one_is_followed() {
        let mut facts = Facts::healthy();
        facts.machine_mut().accepting = Ok(BTreeSet::from(["br0", "eth0"].map(str::to_owned)));
        let found = examine(&facts).findings;
        assert_eq!(found.len(), 1, "eth0 is no bridge of a link: {found:?}");
        assert!(
            found[0].mend.contains("net.ipv6.conf.br0.accept_ra=0"),
            "{}",
            found[0].mend
        );
        facts.machine_mut().routed.as_mut().unwrap()[0].name = "br0".to_owned();
        assert_eq!(examine(&facts).state(), AreaState::Healthy);
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
