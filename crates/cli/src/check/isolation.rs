//! Checks what links with isolation need of the machine, and settings of who may speak with whom that have no effect.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator_catalog::{Declared, Template};
use orchestrator_model::LeaseSource;
use orchestrator_network::{KernelFeatures, Network, NetworkError};
use orchestrator_runtime::causes::with_causes;
use orchestrator_settings::{LinkSettings, Settings, TemplateSettings};

use super::Finding;

/// Everything about isolation. Nothing where no link has any.
pub(super) async fn check(declared: &Declared, network: &Network) -> Vec<Finding> {
    let settings = declared.settings();
    let mut findings = Vec::new();
    if is_wanted(settings) {
        findings.push(filter(network.try_features().await));
    }
    findings.extend(settings.links.iter().filter_map(lenient));
    findings.extend(egress(settings, declared, network.forwards()));
    findings.extend(without_effect(settings, declared));
    findings
}

fn is_wanted(settings: &Settings) -> bool {
    settings.links.iter().any(|link| link.isolation.is_some())
}

/// Whether the kernel and `nft` take the rules. They are tried in a network namespace that goes at once.
fn filter(tried: Result<KernelFeatures, NetworkError>) -> Finding {
    let name = "packet filter";
    let fault = match tried.and_then(|features| features.filter) {
        Ok(()) => return Finding::there(name, "nftables in the families bridge and inet"),
        Err(fault @ (NetworkError::NotPermitted { .. } | NetworkError::TimedOut { .. } | NetworkError::Open(_))) => {
            // That the privilege is missing has a finding of its own.
            return Finding::there(name, format!("not tried: {}", with_causes(&fault)));
        }
        Err(fault) => with_causes(&fault),
    };
    let remedy = "install the package nftables, and load nf_tables, nft_meta_bridge, nft_nat and nft_masq; or write \
                  isolation = false";
    Finding::missing(
        name,
        format!("{fault}: links with isolation are open, and have no front door; {remedy}"),
    )
}

/// A link that only counts.
fn lenient(link: &LinkSettings) -> Option<Finding> {
    let isolation = link.isolation.as_ref().filter(|isolation| !isolation.enforce)?;
    let door = isolation
        .front_door
        .map(|door| format!("; its front door {door} works"));
    let detail = "enforce = false: what is not allowed is counted, and passes; orchestrator policy ID shows it";
    Some(Finding::there(
        format!("isolation of {}", link.name),
        detail.to_owned() + &door.unwrap_or_default(),
    ))
}

/// The templates that each client of a link gets: one without a class, and one of each class.
fn contexts<'d>(link: &LinkSettings, declared: &'d Declared) -> Vec<Vec<&'d Template>> {
    let listens = link.source == LeaseSource::Listener;
    let classes = declared.settings().classes.iter().filter(|_| listens);
    let classes = std::iter::once(None).chain(classes.map(|class| Some(class.name.as_str())));
    classes
        .map(|class| declared.templates_of(&link.name, class).collect())
        .collect()
}

/// All templates of a link, each once.
fn templates<'d>(contexts: &[Vec<&'d Template>]) -> Vec<&'d Template> {
    let by_name = contexts.iter().flatten().map(|template| (&template.name, *template));
    by_name.collect::<BTreeMap<_, _>>().into_values().collect()
}

/// Whether this machine forwards what instances may send to the world.
fn egress(settings: &Settings, declared: &Declared, forwards: bool) -> Option<Finding> {
    let of = |link: &LinkSettings| {
        let all = templates(&contexts(link, declared));
        let with = all
            .into_iter()
            .find(|template| !template.settings.access.egress.is_empty());
        with.map(|template| template.name.clone())
    };
    let isolated = settings.links.iter().filter(|link| link.isolation.is_some());
    let template = isolated.filter_map(of).next().filter(|_| !forwards)?;
    Some(Finding::wrong(
        format!("egress of template {template}"),
        "this machine forwards no IPv6 packets, so that instances do not reach the world; set \
         net.ipv6.conf.all.forwarding=1",
    ))
}

/// Keys of templates that have no effect on a link.
fn without_effect(settings: &Settings, declared: &Declared) -> Vec<Finding> {
    let mut findings = Vec::new();
    for link in &settings.links {
        let contexts = contexts(link, declared);
        for template in templates(&contexts) {
            let name = format!("template {} on link {}", template.name, link.name);
            if link.isolation.is_none() {
                let keys = keys(&template.settings);
                if !keys.is_empty() {
                    let keys = keys.join(", ");
                    let detail = format!(
                        "{keys}: no effect, because link {} has isolation = false; its instances reach everything",
                        link.name
                    );
                    findings.push(Finding::wrong(name, detail));
                }
                continue;
            }
            findings.extend(peers(&name, &contexts, template));
        }
    }
    findings
}

/// The keys of a template that only links with isolation look at.
fn keys(template: &TemplateSettings) -> Vec<&'static str> {
    let access = &template.access;
    let set = [
        ("egress", !access.egress.is_empty()),
        ("open", !access.open.is_empty()),
        ("peers", !access.peers.is_empty()),
        ("front_door_ports", !access.front_door.is_empty()),
        ("packet_rate", access.rate.packets.is_some()),
        ("byte_rate", access.rate.bytes.is_some()),
    ];
    set.into_iter()
        .filter_map(|(key, is_set)| is_set.then_some(key))
        .collect()
}

/// Peers that no client with this template has.
fn peers(name: &str, contexts: &[Vec<&Template>], template: &Template) -> Option<Finding> {
    let has = |context: &[&Template], name: &str| context.iter().any(|one| one.name == name);
    let with_it = contexts.iter().filter(|context| has(context, &template.name));
    let peers = template.settings.access.peers.iter();
    let strange: BTreeSet<&str> = peers
        .map(|peer| peer.slot.as_str())
        .filter(|slot| !with_it.clone().any(|context| has(context, slot)))
        .collect();
    (!strange.is_empty()).then(|| {
        let strange = strange.into_iter().collect::<Vec<_>>().join(", ");
        let detail =
            format!("peers names {strange}, which no client has beside it; name it in the same `template` list");
        Finding::wrong(name, detail)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const LINK: &str = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n\
        instances = \"fd39::2:0/112\"\n";

    /// The findings on a link with these lines, and templates.
    fn found(link: &str, templates: &str) -> Vec<(String, bool, String)> {
        let text = format!("{LINK}{link}\n{templates}");
        let settings = orchestrator_settings::parse(&text, std::iter::empty()).unwrap();
        let declared = Declared::new(Arc::new(settings), Vec::new());
        let lenient = declared.settings().links.iter().filter_map(lenient);
        let all = lenient.chain(without_effect(declared.settings(), &declared));
        let all = all.chain(egress(declared.settings(), &declared, false));
        all.map(|finding| (finding.name, finding.ok, finding.detail)).collect()
    }

    #[test]
    fn settings_that_go_together_are_no_finding() {
        let both = "isolation = true\ntemplate = [\"web\", \"db\"]";
        let templates = "[template.web]\nimage = \"a\"\npeers = [\"db\"]\n[template.db]\nimage = \"b\"";
        assert_eq!(found(both, templates), []);
    }

    #[test]
    fn peers_that_no_client_has_are_found() {
        let one = "isolation = true\ntemplate = \"web\"";
        let templates = "[template.web]\nimage = \"a\"\npeers = [\"db\"]\n[template.db]\nimage = \"b\"";
        let [(name, ok, detail)] = &found(one, templates)[..] else {
            panic!("one finding");
        };
        assert_eq!((name.as_str(), *ok), ("template web on link br0", false));
        assert!(
            detail.starts_with("peers names db, which no client has beside it"),
            "{detail}"
        );
    }

    #[test]
    fn keys_of_isolation_have_no_effect_without_it() {
        let open = "isolation = false\ntemplate = \"web\"";
        let template = "[template.web]\nimage = \"a\"\negress = [\"2000::/3\"]\npacket_rate = 5";
        let found = found(open, template);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            !found[0].1 && found[0].2.starts_with("egress, packet_rate: no effect"),
            "{found:?}"
        );
    }

    #[test]
    fn egress_needs_forwarding_and_a_link_that_only_counts_is_named() {
        let lenient = "isolation = true\nenforce = false\ntemplate = \"web\"";
        let template = "[template.web]\nimage = \"a\"\negress = [\"2000::/3\"]";
        let found = found(lenient, template);
        let names: Vec<(&str, bool)> = found.iter().map(|(name, ok, _)| (name.as_str(), *ok)).collect();
        assert_eq!(names, [("isolation of br0", true), ("egress of template web", false)]);
    }

    #[test]
    fn a_machine_without_a_packet_filter_is_found_and_a_user_without_privileges_is_not() {
        let tried = |filter| {
            Ok(KernelFeatures {
                bridge: Ok(()),
                veth: Ok(()),
                filter,
            })
        };
        assert!(filter(tried(Ok(()))).ok);
        let refused = NetworkError::Refused {
            doing: "loading the rules".to_owned(),
            source: std::io::Error::other("there is no nft"),
        };
        let found = filter(tried(Err(refused)));
        assert!(
            !found.ok && found.detail.contains("there is no nft") && found.detail.contains("nftables"),
            "{found:?}"
        );
        let doing = "making a namespace".to_owned();
        assert!(filter(Err(NetworkError::NotPermitted { doing })).ok);
    }
}
