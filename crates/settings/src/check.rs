//! Checks of several keys together.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;

use super::api::{ApiSettings, Listen};
use super::elsewhere::Elsewhere;
use super::fault::{Collector, nearest, one_of};
use super::isolation;
use super::lifetimes::Lifetimes;
use super::link::Outline;
use super::option::Given;
use super::prefix::overlap;
use super::reader::Table;
use orchestrator_model::LeaseSource;

/// The ranges of a link's addresses.
pub(super) struct Ranges {
    pub(super) pool: Option<Ipv6Net>,
    /// Pools of classes, in the order of the settings.
    pub(super) class_pools: Vec<Option<Ipv6Net>>,
    pub(super) instances: Option<Ipv6Net>,
}

impl Ranges {
    /// Checks that the ranges lie inside the link's prefix, and overlap neither each other nor the link's own address.
    pub(super) fn check(&self, link: &Table<'_>, address: Option<Ipv6Net>) {
        let ranges = self.by_key();
        for (index, (key, range)) in ranges.iter().enumerate() {
            if let Some((what, remedy)) = address.and_then(|address| misplaced(*range, address, "link")) {
                link.fault(key, what, remedy);
            }
            // The ranges before this one are pools.
            if let Some((_, pool)) = ranges.iter().take(index).find(|(_, other)| overlap(range, other)) {
                let remedy = match key.as_str() {
                    "instances" => "take a range for instances that clients are not given",
                    _ => "take a range that is in no other pool",
                };
                link.fault(key, format!("{range} overlaps the pool {pool}"), remedy);
            }
        }
    }

    /// The range that holds this address.
    pub(super) fn holding(&self, address: Ipv6Addr) -> Option<Ipv6Net> {
        let mut ranges = self.by_key().into_iter().map(|(_, range)| range);
        ranges.find(|range| range.contains(&address))
    }

    fn by_key(&self) -> Vec<(String, Ipv6Net)> {
        let pool = self.pool.map(|pool| ("pool".to_owned(), pool));
        let numbered = self.class_pools.iter().enumerate();
        let class_pools = numbered.filter_map(|(index, pool)| Some((format!("class_pool[{index}].pool"), (*pool)?)));
        let instances = self.instances.map(|instances| ("instances".to_owned(), instances));
        pool.into_iter().chain(class_pools).chain(instances).collect()
    }
}

/// Checks that the link has the ranges that it needs.
pub(super) fn needed_ranges(link: &Table<'_>, source: Option<LeaseSource>, has_template: bool) {
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

/// Checks a range against an address with its prefix. Returns the fault and its remedy. `whose` is `link` or `network`.
/// If the network has no address, `address` is the prefix itself.
pub(super) fn misplaced(range: Ipv6Net, address: Ipv6Net, whose: &str) -> Option<(String, String)> {
    let prefix = address.trunc();
    let inside = format!("take a range inside {prefix}");
    if !prefix.contains(&range) {
        return Some((format!("{range} is not inside the {whose}'s prefix {prefix}"), inside));
    }
    if address.addr() != prefix.network() && range.contains(&address.addr()) {
        return Some((
            format!("{range} holds the {whose}'s own address {}", address.addr()),
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

/// Refuses keys of a dnsmasq link for values that dnsmasq itself decides.
pub(super) fn given_to_dnsmasq(link: &Table<'_>, source: Option<LeaseSource>) {
    if source != Some(LeaseSource::Dnsmasq) {
        return;
    }
    for key in Lifetimes::KEYS
        .into_iter()
        .chain([
            "allocation",
            "rapid_commit",
            "registration",
            "reconfigure",
            "learn_ports",
            "client_rate",
            "link_rate",
            "delegation",
            "class_pool",
            "reservation",
            "relay",
            "preference",
            "quarantine",
        ])
        .chain(isolation::KEYS)
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

/// Refuses keys that need a bridge, for a link without one on this machine.
pub(super) fn elsewhere(link: &Table<'_>) {
    let of_bridges = [
        "create",
        "address",
        "source",
        "instances",
        "template",
        "neighbors",
        "neighbor_lifetime",
        "neighbor_limit",
        "router_advertisements",
        "advertisement",
        "dns",
    ];
    for key in of_bridges.into_iter().chain(isolation::KEYS) {
        if link.has(key) {
            let remedy = "remove it; a link that has a `name` and no `bridge` only gives leases, through relay agents";
            link.fault(key, "has no effect, because the link has no bridge here", remedy);
        }
    }
}

/// Checks that a remote link has relay agents from which the daemon can receive its clients' messages.
pub(super) fn relays_named(links: &[Outline], relays: &[String], faults: &Collector) {
    for (index, relay) in relays.iter().enumerate() {
        let hooked = |link: &&Outline| link.name.as_ref() == Some(relay) && link.source == Some(LeaseSource::Dnsmasq);
        if let Some(link) = links.iter().find(hooked) {
            let what = format!("{relay} is {}, where dnsmasq listens", link.key);
            let remedy = "have relay agents send to another interface";
            faults.at(format!("source.listener.relays[{index}]"), what, remedy);
        }
    }
    let remote = links.iter().find(|link| link.named_by == "name");
    if let Some(link) = remote
        && relays.is_empty()
    {
        let what = format!(
            "names no interface, and {} is reached through relay agents alone",
            link.key
        );
        let remedy = "name the interfaces where relay agents are trusted, like [\"eth0\"]";
        faults.at("source.listener.relays", what, remedy);
    }
}

/// Checks that no prefix is delegated twice, and that none is a link's own.
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

/// Checks that no link's name is used twice, and that no address belongs to two links.
pub(super) fn links_apart(links: &[Outline], faults: &Collector) {
    for (index, link) in links.iter().enumerate() {
        for earlier in links.iter().take(index) {
            if link.name.is_some() && link.name == earlier.name {
                let what = format!("is the name of {} already", earlier.key);
                faults.at(
                    format!("{}.{}", link.key, link.named_by),
                    what,
                    "describe each link once",
                );
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

/// Checks that every template that these keys name exists: in the settings, whose names are given, or elsewhere.
pub(super) fn templates_known<'a>(
    named: impl Iterator<Item = (&'a str, &'a str)>,
    names: &'a [String],
    elsewhere: &'a Elsewhere,
    faults: &Collector,
) {
    let Some(elsewhere) = elsewhere.names() else { return };
    let names: Vec<&str> = names.iter().map(String::as_str).chain(elsewhere).collect();
    for (key, template) in named.filter(|(_, template)| !names.contains(template)) {
        let remedy = match nearest(template, names.iter().copied()) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None if names.is_empty() => format!("describe it under [template.{template}]"),
            None => format!(
                "describe it under [template.{template}], or name {}",
                one_of(names.iter().copied())
            ),
        };
        faults.at(
            format!("{key}.template"),
            format!("there is no template {template:?}"),
            remedy,
        );
    }
}

/// Checks that a dnsmasq link has a unix socket for its hook.
pub(super) fn hook_reachable(links: &[Outline], api: &ApiSettings, faults: &Collector) {
    let hooked = links.iter().find(|link| link.source == Some(LeaseSource::Dnsmasq));
    if let Some(link) = hooked
        && !api.listen.iter().any(|place| matches!(place, Listen::Unix(_)))
    {
        let what = format!("names no unix socket, and dnsmasq's hook for {} needs one", link.key);
        faults.at("api.listen", what, "add \"unix:/run/orchestrator/api.sock\"");
    }
}
