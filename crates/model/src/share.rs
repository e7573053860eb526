//! Shares: whom an instance is counted for when the clients of a link compete.

use serde::{Deserialize, Serialize};

use super::{GrantedTo, LinkLayerAddress, attachment_of};

/// The place on a link for which the instances of a client count.
///
/// Clients that invent identities share a port with one another, and with no honest client behind another port.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Share {
    /// The link; empty for an owner that is no client.
    pub link: String,
    /// The bridge port that the client is behind; `None` where the lease source does not see it.
    pub port: Option<String>,
    /// The client's link-layer address, as far as it is known.
    pub link_layer: Option<LinkLayerAddress>,
}

impl Share {
    /// The share of a client that was granted a lease at this place. Where the source did not see the link-layer address,
    /// `claimed` stands for it: the one that the client says it has.
    pub fn of(link: &str, place: &GrantedTo, claimed: Option<&LinkLayerAddress>) -> Self {
        Self {
            link: link.to_owned(),
            port: place.port.clone(),
            link_layer: place.link_layer.as_ref().or(claimed).cloned(),
        }
    }

    /// Whether the port is an interface of one of our instances.
    pub fn is_of_instance(&self) -> bool {
        self.port.as_deref().and_then(attachment_of).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_of_instances_are_known_by_their_names() {
        let behind = |port: &str| Share {
            port: Some(port.to_owned()),
            ..Share::default()
        };
        assert!(behind("or0123456789ab").is_of_instance());
        for port in ["eth0", "or0", "or0123456789AB", "orchestrator12", "or0123456789abc"] {
            assert!(!behind(port).is_of_instance(), "{port}");
        }
        assert!(!Share::default().is_of_instance());
    }

    #[test]
    fn what_was_seen_counts_more_than_what_the_client_says() {
        let address = |text: &str| text.parse::<LinkLayerAddress>().unwrap();
        let seen = GrantedTo {
            link_layer: Some(address("02:00:00:00:00:01")),
            port: Some("eth7".to_owned()),
            ..GrantedTo::default()
        };
        let claimed = address("02:00:00:00:00:02");
        assert_eq!(Share::of("br0", &seen, Some(&claimed)).link_layer, seen.link_layer);
        let unseen = Share::of("br0", &GrantedTo::default(), Some(&claimed));
        assert_eq!((unseen.link_layer, unseen.port), (Some(claimed), None));
    }
}
