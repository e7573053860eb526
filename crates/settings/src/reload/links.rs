//! What is different about links, and what takes effect at once.

use super::{Change, Effect, change, changed};
use crate::{IsolationSettings, LinkSettings, SpecialPorts};

pub(super) fn links(running: &[LinkSettings], written: &[LinkSettings]) -> Vec<Change> {
    let of = |links: &[LinkSettings], name: &str| links.iter().find(|link| link.name == name).cloned();
    let path = |link: &LinkSettings| format!("link.{}", link.name);
    let mut changes = Vec::new();
    for link in written {
        match of(running, &link.name) {
            None => changes.push(change(path(link), Effect::Added)),
            Some(before) => changes.extend(changed(&path(link), &link_keys(&before, link))),
        }
    }
    let gone = running.iter().filter(|link| of(written, &link.name).is_none());
    changes.extend(gone.map(|link| change(path(link), Effect::Removed)));
    changes
}

/// The keys of a link, each with whether it differs.
fn link_keys(running: &LinkSettings, written: &LinkSettings) -> Vec<(&'static str, bool)> {
    let LinkSettings {
        name: _,
        remote,
        create,
        address,
        source,
        pool,
        class_pools,
        delegation,
        reservations,
        reserved_keys,
        relays,
        allocation,
        instances,
        lifetimes,
        rapid_commit,
        registration,
        reconfigure,
        learn_ports,
        client_rate,
        link_rate,
        limits,
        neighbors,
        advertisement,
        dns,
        dns_servers,
        domain_search,
        captive_portal,
        options,
        // These keys are reported separately.
        classes: _,
        preference,
        isolation,
        quarantine,
        templates,
    } = running;
    let (advertises, advertised) = (advertisement.is_some(), written.advertisement.is_some());
    let mut keys = vec![
        ("bridge", *remote != written.remote),
        ("create", *create != written.create),
        ("address", *address != written.address),
        ("source", *source != written.source),
        ("pool", *pool != written.pool),
        ("class_pool", *class_pools != written.class_pools),
        ("delegation", *delegation != written.delegation),
        (
            "reservation",
            *reservations != written.reservations || *reserved_keys != written.reserved_keys,
        ),
        ("relay", *relays != written.relays),
        ("allocation", *allocation != written.allocation),
        ("instances", *instances != written.instances),
        ("preferred_lifetime", lifetimes.preferred != written.lifetimes.preferred),
        ("valid_lifetime", lifetimes.valid != written.lifetimes.valid),
        ("rapid_commit", *rapid_commit != written.rapid_commit),
        ("registration", *registration != written.registration),
        ("reconfigure", *reconfigure != written.reconfigure),
        ("learn_ports", *learn_ports != written.learn_ports),
        ("client_rate", *client_rate != written.client_rate),
        ("link_rate", *link_rate != written.link_rate),
        ("limits", *limits != written.limits),
        ("neighbors", *neighbors != written.neighbors),
        ("router_advertisements", advertises != advertised),
        (
            "advertisement",
            advertises && advertised && *advertisement != written.advertisement,
        ),
        ("dns", *dns != written.dns),
        ("dns_servers", *dns_servers != written.dns_servers),
        ("domain_search", *domain_search != written.domain_search),
        ("captive_portal", *captive_portal != written.captive_portal),
        // The options of all links are laid under the link's own.
        ("options", *options != written.options),
        ("preference", *preference != written.preference),
        ("quarantine", *quarantine != written.quarantine),
        ("template", *templates != written.templates),
    ];
    keys.extend(isolation_keys(isolation.as_ref(), written.isolation.as_ref()));
    keys
}

/// The keys of isolation, each with whether it differs. Where isolation goes on or off, that is the one difference.
fn isolation_keys(
    running: Option<&IsolationSettings>,
    written: Option<&IsolationSettings>,
) -> Vec<(&'static str, bool)> {
    let (Some(running), Some(written)) = (running, written) else {
        return vec![("isolation", running.is_some() != written.is_some())];
    };
    let IsolationSettings {
        required,
        enforce,
        isolate_clients,
        bind_ports,
        ipv4,
        ports: SpecialPorts { trusted, router, relay },
        front_door,
        portal,
    } = running;
    vec![
        ("isolation", *required != written.required),
        ("enforce", *enforce != written.enforce),
        ("isolate_clients", *isolate_clients != written.isolate_clients),
        ("bind_ports", *bind_ports != written.bind_ports),
        ("ipv4", *ipv4 != written.ipv4),
        ("trusted_ports", *trusted != written.ports.trusted),
        ("router_ports", *router != written.ports.router),
        ("relay_ports", *relay != written.ports.relay),
        ("front_door", *front_door != written.front_door),
        ("portal", *portal != written.portal),
    ]
}
