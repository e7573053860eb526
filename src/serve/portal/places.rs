//! Where the settings want something served.

use std::net::Ipv6Addr;

use nix::net::if_::if_nametoindex;
use orchestrator_portal::Place;
use orchestrator_settings::{LinkSettings, Settings};

/// The port of HTTP.
const HTTP: u16 = 80;
/// The port of HTTPS.
pub(super) const HTTPS: u16 = 443;

/// What is served at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// The metadata of instances.
    Metadata,
    /// The page of a client.
    Portal,
    /// What a client sees while its instance is not there.
    FrontDoor,
}

impl Purpose {
    /// Its name in messages.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Portal => "the page of clients",
            Self::FrontDoor => "the front door",
        }
    }

    /// The settings key of its address.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Metadata => "metadata.address",
            Self::Portal => "the link's `portal`",
            Self::FrontDoor => "the link's `front_door`",
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
    let place = |address: Ipv6Addr, port| Place {
        link: link.name.clone(),
        index,
        prefix: link.prefix(),
        address,
        port,
    };
    let metadata = settings.metadata.address.filter(|_| link.instances.is_some());
    let mut places = Vec::new();
    let mut add = |purpose, address: Option<Ipv6Addr>, port| {
        places.extend(address.map(|address| (purpose, place(address, port))));
    };
    add(Purpose::Metadata, metadata, HTTP);
    add(Purpose::Portal, link.portal(), HTTP);
    add(Purpose::FrontDoor, link.front_door(), HTTP);
    if settings.portal.certificate.is_some() {
        add(Purpose::Portal, link.portal(), HTTPS);
    }
    places
}
