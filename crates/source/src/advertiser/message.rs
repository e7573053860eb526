//! The advertisement of a link, from its settings.

use orchestrator_dhcp6::advert::RouterAdvertisement;

use orchestrator_settings::{AdvertisementSettings, LinkSettings};

/// The advertisement of a link.
pub(super) fn of_link(link: &LinkSettings, settings: &AdvertisementSettings) -> RouterAdvertisement {
    // Checked with the settings; a name that the wire cannot carry after all is left out.
    let domain_search = link.domain_search.iter().filter_map(|name| name.parse().ok());
    RouterAdvertisement {
        hop_limit: settings.hop_limit,
        managed: settings.managed,
        other: settings.other,
        preference: settings.preference,
        router_lifetime: settings.router_lifetime,
        reachable_time: settings.reachable_time,
        retransmission_time: settings.retransmission_time,
        // Hosts ask for it: a bridge takes the address of its ports, and may have another one tomorrow.
        source_link_layer: None,
        mtu: settings.mtu,
        prefixes: settings.prefixes.clone(),
        dns_servers: link.dns_servers.clone(),
        domain_search: domain_search.collect(),
        dns_lifetime: settings.dns_lifetime,
        pref64: settings.nat64_prefix.map(|prefix| (prefix, settings.nat64_lifetime)),
        captive_portal: link.captive_portal.clone(),
    }
}
