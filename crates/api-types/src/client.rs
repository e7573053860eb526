//! Clients.

use orchestrator_model::{ClientId, Duid, LinkLayerAddress, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Event, Instance, LeaseView, scalar};

/// A client of a link: a machine that holds a lease or held one, known by its DUID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Client {
    /// The client's id.
    #[schemars(with = "scalar::Id")]
    pub id: ClientId,
    /// The link that it is on.
    pub link: String,
    /// Its DUID. It is a claim of the client, not a proof.
    #[schemars(with = "scalar::Duid")]
    pub duid: Duid,
    /// The last known link-layer address, if the lease source reports one.
    #[schemars(with = "Option<scalar::LinkLayerAddress>")]
    pub link_layer: Option<LinkLayerAddress>,
    /// The host name from its last message that had one.
    pub hostname: Option<String>,
    /// The class of its last message, if its link has classes.
    pub class: Option<String>,
    /// Whether it gets an instance for as long as it holds a lease. Removing its instance clears this until its next
    /// lease event.
    pub wants_instance: bool,
    /// When it was first seen.
    #[schemars(with = "scalar::Timestamp")]
    pub first_seen: Timestamp,
    /// When its last lease event came.
    #[schemars(with = "scalar::Timestamp")]
    pub last_seen: Timestamp,
}

/// SSH keys for a client's own list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyList {
    /// Public keys, each one line like `ssh-ed25519 AAAAC3Nz… me@laptop`. At most 32.
    pub keys: Vec<String>,
}

/// The SSH keys of a client: who may log in to its instances.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuthorizedKeys {
    /// The keys on the client's own list, each one line like `ssh-ed25519 AAAAC3Nz… me@laptop`.
    pub keys: Vec<String>,
    /// The keys of its reservations; absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reserved: Vec<String>,
}

/// A client with its leases, its instances and its last events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClientView {
    /// The client.
    #[serde(flatten)]
    pub client: Client,
    /// Its leases, also those that ended.
    pub leases: Vec<LeaseView>,
    /// The first of its live instances.
    pub instance: Option<Instance>,
    /// Its live instances, in the order in which they were recorded.
    #[serde(default)]
    pub instances: Vec<Instance>,
    /// Its last events, the oldest first.
    pub events: Vec<Event>,
}
