//! Clients: the holders of leases.

use serde::{Deserialize, Serialize};

use super::{ClientId, Duid, LinkLayerAddress, Timestamp};

/// A client of a link, identified there by its DUID. The DUID is a claim of the client, not a proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// The daemon's id for it.
    pub id: ClientId,
    /// The bridge of its link.
    pub link: String,
    /// Its DHCP unique identifier (RFC 9915, section 11).
    pub duid: Duid,
    /// The link-layer address of its last message, if its lease source knows it.
    pub link_layer: Option<LinkLayerAddress>,
    /// The host name from its last message that had one.
    pub hostname: Option<String>,
    /// The class of its last message, if its link has classes.
    pub class: Option<String>,
    /// Whether it gets an instance while it holds a lease.
    ///
    /// Every lease event that grants or extends sets this. The removal of its instance by an admin clears it, so that
    /// the client gets a new instance at its next lease event and not at once.
    pub wants_instance: bool,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When its last lease event came.
    pub last_seen: Timestamp,
}
