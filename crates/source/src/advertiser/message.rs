//! Builds the router advertisement of a link from its settings.

use orchestrator_dhcp6::advert::RouterAdvertisement;

use orchestrator_settings::{AdvertisementSettings, LinkSettings};

/// The router advertisement of a link.
pub(super) fn of_link(link: &LinkSettings, settings: &AdvertisementSettings) -> RouterAdvertisement {
    // The names were checked with the settings. A name that still cannot be encoded is left out.
    let domain_search = link.domain_search.iter().filter_map(|name| name.parse().ok());
    RouterAdvertisement {
        hop_limit: settings.hop_limit,
        managed: settings.managed,
        other: settings.other,
        preference: settings.preference,
        router_lifetime: settings.router_lifetime,
        reachable_time: settings.reachable_time,
        retransmission_time: settings.retransmission_time,
        // Hosts ask for this address: a bridge takes the address of one of its ports, and may change it at any time.
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
