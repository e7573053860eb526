//! Clients: the holders of leases.

use serde::{Deserialize, Serialize};

use super::{ClientId, Duid, LinkLayerAddress, Timestamp};

/// A client of a link: known by its DUID there. The DUID is a claim of the client, not a proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Our name for it.
    pub id: ClientId,
    /// The bridge on which it was seen.
    pub link: String,
    /// Its DHCP unique identifier (RFC 9915, section 11).
    pub duid: Duid,
    /// The link-layer address of its last message, if its lease source knows it.
    pub link_layer: Option<LinkLayerAddress>,
    /// The host name it gave last.
    pub hostname: Option<String>,
    /// The class that its last message put it in, where its link has classes.
    pub class: Option<String>,
    /// Whether it is to have an instance for as long as it holds a lease.
    ///
    /// Set by every lease event that grants or extends; cleared when an admin destroys its instance, so that the
    /// client gets a new one at its next lease event and not at once.
    pub wants_instance: bool,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When its last lease event came.
    pub last_seen: Timestamp,
}
