//! Whether the machine passes packets on, where clients need that.

use crate::{Area, Code, Examined, Facts, Finding, Fix, RoutedInterface};

const AREA: Area = Area::Forwarding;
const SETTING: &str = "net.ipv6.conf.all.forwarding";

pub(super) fn examine(facts: &Facts) -> Examined {
    let machine = match &facts.machine {
        Ok(machine) => machine,
        Err(reason) => return Examined::unknown(AREA, reason),
    };
    let forwards = match &machine.forwarding {
        Ok(forwards) => *forwards,
        Err(reason) => return Examined::unknown(AREA, reason),
    };
    let wanted = match &facts.wanted {
        Ok(wanted) => wanted.forwarding.as_slice(),
        Err(reason) => return Examined::unknown(AREA, reason),
    };
    let seen = match (forwards, wanted.is_empty()) {
        (true, _) => format!("{SETTING}=1"),
        (false, true) => format!("{SETTING}=0, and nothing of the settings needs it"),
        (false, false) => format!("{SETTING}=0"),
    };
    let examined = Examined::new(AREA, seen);
    match (forwards, &machine.routed) {
        (false, _) => examined.with(off(wanted)),
        (true, Ok(routed)) => examined.with(routed.iter().filter_map(ignored)),
        (true, Err(reason)) => examined.lacking(reason),
    }
}

fn off(wanted: &[String]) -> Option<Finding> {
    if wanted.is_empty() {
        return None;
    }
    let finding = Finding::error(AREA, Code::ForwardingOff)
        .what("this machine forwards no IPv6 packets")
        .means(wanted.join("; "))
        .mend(format!(
            "sysctl -w {SETTING}=1, and in /etc/sysctl.d for the next start; before it, \
             net.ipv6.conf.INTERFACE.accept_ra=2 on an interface whose default route a router advertises"
        ));
    Some(finding.fix(Fix::Forwarding))
}

fn ignored(routed: &RoutedInterface) -> Option<Finding> {
    let RoutedInterface { name, accept_ra } = routed;
    if *accept_ra != 1 {
        return None;
    }
    let setting = format!("net.ipv6.conf.{name}.accept_ra");
    let finding = Finding::warning(AREA, Code::RouterIgnored)
        .what(format!(
            "{setting}=1 on an interface whose default route came from a router's advertisement"
        ))
        .means(
            "a machine that forwards takes no advertisements then: the default route goes when its lifetime ends, and \
             instances lose the world",
        )
        .mend(format!(
            "sysctl -w {setting}=2, and in /etc/sysctl.d for the next start"
        ));
    Some(finding.fix(Fix::AcceptRouter {
        interface: name.clone(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AreaState;

    #[test]
    fn a_machine_that_does_not_forward_is_an_error_where_clients_need_it() {
        let mut facts = Facts::healthy();
        facts.machine_mut().forwarding = Ok(false);
        let found = examine(&facts).findings;
        assert_eq!(
            (found[0].code, found[0].fix.clone()),
            (Code::ForwardingOff, Some(Fix::Forwarding))
        );
        assert!(
            found[0].means.contains("prefixes that are delegated"),
            "{}",
            found[0].means
        );
        facts.wanted.as_mut().unwrap().forwarding.clear();
        assert_eq!(examine(&facts).state(), AreaState::Healthy);
    }

    #[test]
    fn an_interface_that_would_lose_its_default_route_is_named() {
        let mut facts = Facts::healthy();
        for (accept_ra, count) in [(0, 0), (1, 1), (2, 0)] {
            facts.machine_mut().routed.as_mut().unwrap()[0].accept_ra = accept_ra;
            assert_eq!(examine(&facts).findings.len(), count, "accept_ra={accept_ra}");
        }
        facts.machine_mut().routed.as_mut().unwrap()[0].accept_ra = 1;
        let found = examine(&facts).findings.remove(0);
        assert!(found.mend.contains("net.ipv6.conf.eth0.accept_ra=2"), "{}", found.mend);
        facts.machine_mut().forwarding = Ok(false);
        let codes: Vec<Code> = examine(&facts).findings.iter().map(|one| one.code).collect();
        assert_eq!(
            codes,
            [Code::ForwardingOff],
            "a machine that does not forward takes advertisements"
        );
    }
}
