//! Checks that this machine forwards packets, if the settings need it.

use super::Finding;
use orchestrator_settings::Settings;

/// The name of the kernel's setting.
const SETTING: &str = "net.ipv6.conf.all.forwarding";

/// `None` if no client needs forwarding: an instance is on its client's own link.
pub(super) fn check(settings: &Settings, forwards: bool) -> Option<Finding> {
    let provides = settings.links.iter().any(|link| settings.provides(link));
    let relayed = provides && !settings.source.listener.relays.is_empty();
    if settings.has_front_door() && !forwards {
        return Some(Finding::wrong(
            "forwarding",
            format!(
                "this machine forwards no IPv6 packets: clients cannot reach instances on a link with a front door; set \
                 {SETTING}=1, and accept_ra=2 on an interface that has its default route from router advertisements"
            ),
        ));
    }
    let for_what = match (settings.delegates(), relayed) {
        (false, false) => return None,
        (true, false) => "clients cannot use the prefixes that are delegated to them",
        (false, true) => "clients behind relay agents cannot reach their instances",
        (true, true) => {
            "clients cannot use the prefixes that are delegated to them, and those behind relay agents cannot reach \
             their instances"
        }
    };
    Some(match forwards {
        true => Finding::there("forwarding", format!("{SETTING}=1")),
        false => Finding::wrong(
            "forwarding",
            format!(
                "this machine forwards no IPv6 packets: {for_what}; set {SETTING}=1, and accept_ra=2 on an interface \
                 that has its default route from router advertisements"
            ),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: &str = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n";
    const INSTANCES: &str = "instances = \"fd39::2:0/112\"\ntemplate = \"web\"\n[template.web]\nimage = \"web\"\n";

    fn found(text: &str, forwards: bool) -> Option<(bool, String)> {
        let settings = orchestrator_settings::parse(text, std::iter::empty()).unwrap();
        check(&settings, forwards).map(|finding| (finding.ok, finding.detail))
    }

    #[test]
    fn forwarding_is_looked_at_only_where_clients_need_it() {
        assert_eq!(found(LINK, false), None);
        assert_eq!(
            found(&format!("{LINK}{INSTANCES}"), false),
            None,
            "a client is on its instance's link"
        );
        let delegates = format!("{LINK}[[link.delegation]]\npool = \"fd40::/48\"\nlength = 64\n");
        let (ok, detail) = found(&delegates, false).unwrap();
        assert!(!ok && detail.contains("set net.ipv6.conf.all.forwarding=1"), "{detail}");
        assert!(found(&delegates, true).unwrap().0);
        let relayed = format!("[source.listener]\nrelays = [\"eth9\"]\n{LINK}{INSTANCES}");
        let (ok, detail) = found(&relayed, false).unwrap();
        assert!(!ok && detail.contains("behind relay agents cannot reach"), "{detail}");
    }
}
