//! The properties of a network that an attachment is made from.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use orchestrator_settings::{Settings, TemplateSettings};

/// The properties of a network that an attachment is made from. They are read once, when the attachment is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    /// Its name.
    pub(super) network: String,
    /// Its bridge, which is what attachments are recorded on.
    pub(super) bridge: String,
    /// Addresses for instances.
    pub(super) range: Ipv6Net,
    /// Length of its prefix, in bits.
    pub(super) prefix_length: u8,
    /// Next hop of a default route by it; `None` where there is none.
    pub(super) gateway: Option<Ipv6Addr>,
    /// Whether instances are isolated from one another there; `None` where their template says so.
    pub(super) isolated: Option<bool>,
    /// Whether the packet filter keeps instances apart there, also on ports that are not isolated.
    pub(super) is_filtered: bool,
}

impl Segment {
    /// Whether the port of an instance of this template is isolated there. One that connects to peers is not: the packet
    /// filter decides then.
    pub(super) fn isolates(&self, template: &TemplateSettings) -> bool {
        let connects = self.is_filtered && !template.access.peers.is_empty();
        self.isolated.unwrap_or(template.isolated && !connects)
    }
}

/// The link or network of this name, where it has addresses for instances.
pub(super) fn segment(settings: &Settings, name: &str) -> Option<Segment> {
    if let Some(network) = settings.network(name) {
        return Some(Segment {
            network: name.to_owned(),
            bridge: network.bridge.clone(),
            range: network.instances,
            prefix_length: network.prefix.prefix_len(),
            gateway: None,
            isolated: Some(network.isolated),
            is_filtered: false,
        });
    }
    let link = settings.link(name)?;
    Some(Segment {
        network: name.to_owned(),
        bridge: name.to_owned(),
        range: link.instances?,
        // Its answers go through this machine, which translates them back.
        prefix_length: match link.front_door() {
            Some(_) => 128,
            None => link.address.prefix_len(),
        },
        gateway: Some(link.address.addr()),
        isolated: None,
        is_filtered: link.isolation.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_link_with_a_front_door_everything_goes_by_the_router() {
        let text = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n\
                    instances = \"fd39::2:0/112\"\nisolation = true\nfront_door = \"fd39::d0\"\n";
        let settings = orchestrator_settings::parse(text, std::iter::empty()).unwrap();
        let link = segment(&settings, "br0").unwrap();
        assert_eq!(
            (link.prefix_length, link.gateway),
            (128, Some("fd39::1".parse().unwrap()))
        );
    }

    #[test]
    fn a_link_has_a_router_and_a_network_has_none() {
        let text = "[[link]]\nbridge = \"br0\"\naddress = \"fd39::1/64\"\npool = \"fd39::1:0/112\"\n\
                    instances = \"fd39::2:0/112\"\n\
                    [[network]]\nname = \"storage\"\naddress = \"fd50::1/56\"\ninstances = \"fd50::1:0/112\"\n";
        let settings = orchestrator_settings::parse(text, std::iter::empty()).unwrap();
        let link = segment(&settings, "br0").unwrap();
        assert_eq!((link.prefix_length, link.isolated), (64, None));
        assert_eq!(link.gateway, Some("fd39::1".parse().unwrap()));
        let storage = segment(&settings, "storage").unwrap();
        assert_eq!(
            (storage.prefix_length, storage.gateway, storage.isolated),
            (56, None, Some(false))
        );
        assert_eq!(segment(&settings, "br9"), None);
    }
}
