//! Where the settings want something served.

use std::net::Ipv6Addr;

use nix::net::if_::if_nametoindex;
use orchestrator_portal::Place;
use orchestrator_settings::{LinkSettings, Settings};

/// The port of HTTP.
const HTTP: u16 = 80;

/// What is served at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// The metadata of instances.
    Metadata,
}

impl Purpose {
    /// Its name in messages.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
        }
    }

    /// The settings key of its address.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Metadata => "metadata.address",
        }
    }
}

/// All places on bridges that are there. A bridge that is missing is waited for by its link.
pub(super) fn wanted(settings: &Settings) -> Vec<(Purpose, Place)> {
    let links = settings.links.iter().filter(|link| !link.remote);
    links
        .filter_map(|link| Some((link, if_nametoindex(link.name.as_str()).ok()?)))
        .flat_map(|(link, index)| of_link(settings, link, index))
        .collect()
}

fn of_link(settings: &Settings, link: &LinkSettings, index: u32) -> Vec<(Purpose, Place)> {
    let place = |address: Ipv6Addr| Place {
        link: link.name.clone(),
        index,
        prefix: link.prefix(),
        address,
        port: HTTP,
    };
    let metadata = settings.metadata.address.filter(|_| link.instances.is_some());
    metadata
        .map(|address| (Purpose::Metadata, place(address)))
        .into_iter()
        .collect()
}
