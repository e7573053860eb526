//! What only several keys together can get wrong.

use ipnet::Ipv6Net;

use super::api::{ApiSettings, Listen};
use super::fault::{Collector, nearest, one_of};
use super::lifetimes::Lifetimes;
use super::link::Outline;
use super::option::Given;
use super::prefix::overlap;
use super::reader::Table;
use crate::model::LeaseSource;

/// Ranges lie inside the link's prefix, apart from one another and from the link's own address, and those that the
/// link needs are there.
pub(super) fn ranges(
    link: &Table<'_>,
    address: Option<Ipv6Net>,
    source: Option<LeaseSource>,
    pool: Option<Ipv6Net>,
    instances: Option<Ipv6Net>,
    has_template: bool,
) {
    if let Some(address) = address {
        for (key, range) in [("pool", pool), ("instances", instances)] {
            if let Some((what, remedy)) = range.and_then(|range| misplaced(range, address)) {
                link.fault(key, what, remedy);
            }
        }
    }
    if let (Some(pool), Some(instances)) = (pool, instances)
        && overlap(&pool, &instances)
    {
        let what = format!("{instances} overlaps the pool {pool}");
        link.fault(
            "instances",
            what,
            "take a range for instances that clients are not given",
        );
    }
    if source == Some(LeaseSource::Listener) && !link.has("pool") {
        let remedy = "name a range inside the link's prefix, like \"fd39:9706:2786:6333::1:0/112\"";
        link.fault("pool", "is missing, and the listener leases addresses from it", remedy);
    }
    if has_template && !link.has("instances") {
        let remedy = "name a range inside the link's prefix, like \"fd39:9706:2786:6333::2:0/112\"";
        link.fault(
            "instances",
            "is missing, and the template's instances need addresses",
            remedy,
        );
    }
}

fn misplaced(range: Ipv6Net, address: Ipv6Net) -> Option<(String, String)> {
    let prefix = address.trunc();
    let inside = format!("take a range inside {prefix}");
    if !prefix.contains(&range) {
        return Some((format!("{range} is not inside the link's prefix {prefix}"), inside));
    }
    if range.contains(&address.addr()) {
        return Some((
            format!("{range} holds the link's own address {}", address.addr()),
            inside + " without it",
        ));
    }
    if range.contains(&prefix.network()) {
        let what = format!(
            "{range} holds {}, which every router answers to (RFC 4291, section 2.6.1)",
            prefix.network()
        );
        return Some((what, inside + " without it"));
    }
    None
}

/// What dnsmasq decides cannot be set here.
pub(super) fn given_to_dnsmasq(link: &Table<'_>, source: Option<LeaseSource>) {
    if source != Some(LeaseSource::Dnsmasq) {
        return;
    }
    for key in Lifetimes::KEYS
        .into_iter()
        .chain([
            "rapid_commit",
            "registration",
            "reconfigure",
            "client_rate",
            "delegation",
            "preference",
        ])
        .chain(Given::OF_LISTENER)
    {
        if link.has(key) {
            let remedy = "remove it here and set it in dnsmasq's configuration";
            link.fault(
                key,
                "has no effect, because dnsmasq answers the clients of this link",
                remedy,
            );
        }
    }
}

/// No prefix is delegated twice, and none that is a link's own.
pub(super) fn delegations_apart(links: &[Outline], faults: &Collector) {
    let pools: Vec<(String, Ipv6Net)> = links
        .iter()
        .flat_map(|link| {
            let pools = link.delegated.iter().enumerate();
            pools.map(|(index, pool)| (format!("{}.delegation[{index}].pool", link.key), *pool))
        })
        .collect();
    for (index, (key, pool)) in pools.iter().enumerate() {
        let earlier = pools.iter().take(index).find(|(_, other)| overlap(pool, other));
        if let Some((earlier, other)) = earlier {
            let what = format!("{pool} overlaps {other} of {earlier}");
            faults.at(key.clone(), what, "delegate each prefix once");
        }
        for link in links {
            if let Some(prefix) = link.prefix.filter(|prefix| overlap(pool, prefix)) {
                let what = format!("{pool} overlaps the prefix {prefix} of {}", link.key);
                faults.at(key.clone(), what, "delegate prefixes that are on no link");
            }
        }
    }
}

/// No bridge is named twice, and no address belongs to two links.
pub(super) fn links_apart(links: &[Outline], faults: &Collector) {
    for (index, link) in links.iter().enumerate() {
        for earlier in links.iter().take(index) {
            if link.bridge.is_some() && link.bridge == earlier.bridge {
                let what = format!("names the same bridge as {}", earlier.key);
                faults.at(format!("{}.bridge", link.key), what, "describe each bridge once");
            }
            if let (Some(one), Some(other)) = (link.prefix, earlier.prefix)
                && overlap(&one, &other)
            {
                let what = format!("{one} overlaps {other} of {}", earlier.key);
                faults.at(
                    format!("{}.address", link.key),
                    what,
                    "give each link a prefix of its own",
                );
            }
        }
    }
}

/// Every template that a link names is there.
pub(super) fn templates_known(links: &[Outline], names: &[String], faults: &Collector) {
    for link in links {
        let Some(template) = &link.template else { continue };
        if names.contains(template) {
            continue;
        }
        let remedy = match nearest(template, names.iter().map(String::as_str)) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None if names.is_empty() => format!("describe it under [template.{template}]"),
            None => format!(
                "describe it under [template.{template}], or name {}",
                one_of(names.iter().map(String::as_str))
            ),
        };
        faults.at(
            format!("{}.template", link.key),
            format!("there is no template {template:?}"),
            remedy,
        );
    }
}

/// dnsmasq's hook speaks to the unix socket.
pub(super) fn hook_reachable(links: &[Outline], api: &ApiSettings, faults: &Collector) {
    let hooked = links.iter().find(|link| link.source == Some(LeaseSource::Dnsmasq));
    if let Some(link) = hooked
        && !api.listen.iter().any(|place| matches!(place, Listen::Unix(_)))
    {
        let what = format!("names no unix socket, and dnsmasq's hook for {} needs one", link.key);
        faults.at("api.listen", what, "add \"unix:/run/orchestrator/api.sock\"");
    }
}
