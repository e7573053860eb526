//! Checks who holds the port of DNS where the daemon's own server answers.

use std::net::Ipv6Addr;

use orchestrator_network::listeners;
use orchestrator_settings::{DNS_PORT, Settings};

use super::Finding;

/// The name of the daemon's process.
const DAEMON: &str = "orchestrator (";

/// A finding for each address at which the settings have DNS queries answered.
pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    check_by(settings, listeners::of)
}

fn check_by(settings: &Settings, holders: impl Fn(Ipv6Addr, u16) -> Vec<String>) -> Vec<Finding> {
    let links = settings.links.iter().filter(|link| link.dns);
    let of_links = links.map(|link| {
        let remedy = format!("have it listen elsewhere, or set `dns = false` for link {}", link.name);
        (format!("dns {}", link.name), link.address.addr(), DNS_PORT, remedy)
    });
    let further = settings.dns.listen.iter().map(|listen| {
        let remedy = "have it listen elsewhere, or take another address in dns.listen".to_owned();
        (format!("dns {listen}"), *listen.ip(), listen.port(), remedy)
    });
    let places = of_links.chain(further);
    places
        .map(|(name, address, port, remedy)| {
            let at = format!("[{address}]:{port}");
            let (own, others): (Vec<String>, Vec<String>) = holders(address, port)
                .into_iter()
                .partition(|holder| holder.starts_with(DAEMON));
            match (own.as_slice(), others.as_slice()) {
                (_, [_, ..]) => Finding::wrong(name, format!("{} holds {at}: {remedy}", others.join(" and "))),
                ([], []) => Finding::there(name, format!("nobody holds {at}")),
                (_, []) => Finding::there(name, format!("the daemon answers at {at}")),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_the_port_is_named() {
        let text = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n\
                    [[link]]\nbridge = \"br1\"\naddress = \"fd40::1/64\"\nsource = \"dnsmasq\"\n\
                    [dns]\nlisten = [\"[::1]:5354\"]\n";
        let settings = orchestrator_settings::parse(text, std::iter::empty()).unwrap();
        let found = |holder: &str| {
            let findings = check_by(&settings, |_, _| {
                holder.split_terminator(',').map(str::to_owned).collect()
            });
            let shown = findings
                .into_iter()
                .map(|finding| (finding.name, finding.ok, finding.detail));
            shown.collect::<Vec<_>>()
        };
        let free = found("");
        assert_eq!(
            free[0],
            ("dns br0".to_owned(), true, "nobody holds [fd39::1]:53".to_owned())
        );
        assert_eq!(free.len(), 2, "the link of dnsmasq has none: {free:?}");
        assert_eq!(free[1].0, "dns [::1]:5354");
        assert!(found("orchestrator (7)")[0].2.contains("the daemon answers"));
        let (_, ok, detail) = found("dnsmasq (7),orchestrator (8)").remove(0);
        assert!(
            !ok && detail.starts_with("dnsmasq (7) holds [fd39::1]:53: "),
            "{detail}"
        );
        assert!(detail.contains("`dns = false` for link br0"), "{detail}");
    }
}
