//! Where the settings want queries answered.

use nix::net::if_::if_nametoindex;
use orchestrator_dns::serve::Place;
use orchestrator_settings::{DNS_PORT, LinkSettings, Settings};

/// All places, those of links only on bridges that are there. A bridge that is missing is waited for by its link.
pub(super) fn wanted(settings: &Settings) -> Vec<Place> {
    let links = settings.links.iter().filter(|link| link.dns && !link.remote);
    let of_links = links.filter_map(|link| {
        let index = if_nametoindex(link.name.as_str()).ok()?;
        Some(of_link(settings, link, index))
    });
    let further = settings.dns.listen.iter().map(|listen| Place {
        bridge: None,
        address: *listen.ip(),
        port: listen.port(),
        clients: None,
        rate: settings.dns.rate,
        forward: Vec::new(),
    });
    of_links.chain(further).collect()
}

fn of_link(settings: &Settings, link: &LinkSettings, index: u32) -> Place {
    let clients = std::iter::once(link.prefix()).chain(link.routed());
    Place {
        bridge: Some((link.name.clone(), index)),
        address: link.address.addr(),
        port: DNS_PORT,
        clients: Some(clients.collect()),
        rate: settings.dns.rate,
        forward: settings.dns.forward.clone(),
    }
}
