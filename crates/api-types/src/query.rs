//! Parameters in the query of a request.

use orchestrator_model::{ClientId, InstanceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Asked, LeaseState, Phase, scalar};

/// Selects clients of the list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientQuery {
    /// Only clients on this link.
    pub link: Option<String>,
    /// Only clients whose id, host name, DUID or address is this name or begins with it.
    pub name: Option<String>,
    /// The cursor to continue at: `next` of the page before.
    pub after: Option<String>,
    /// The largest number of items on the page.
    #[schemars(range(min = 1, max = 5000))]
    pub limit: Option<u32>,
}

/// Selects leases of the list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaseQuery {
    /// Only leases on this link.
    pub link: Option<String>,
    /// Only leases in this state.
    pub state: Option<LeaseState>,
    /// Only leases of this client.
    #[schemars(with = "Option<scalar::Id>")]
    pub client: Option<ClientId>,
    /// The cursor to continue at: `next` of the page before.
    pub after: Option<String>,
    /// The largest number of items on the page.
    #[schemars(range(min = 1, max = 5000))]
    pub limit: Option<u32>,
}

/// Selects instances of the list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceQuery {
    /// Whether to list removed instances, too.
    #[serde(default)]
    pub all: bool,
    /// Only instances on this link.
    pub link: Option<String>,
    /// Only instances of this client.
    #[schemars(with = "Option<scalar::Id>")]
    pub client: Option<ClientId>,
    /// Only instances whose id or address, or whose client's id, host name, DUID or address, is this name or begins
    /// with it.
    pub name: Option<String>,
    /// Only instances in this phase.
    pub phase: Option<Phase>,
    /// The cursor to continue at: `next` of the page before.
    pub after: Option<String>,
    /// The largest number of items on the page.
    #[schemars(range(min = 1, max = 5000))]
    pub limit: Option<u32>,
}

/// Further effects of the removal of an instance.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DestroyQuery {
    /// Whether to free the client's leases, too.
    #[serde(default)]
    pub release: bool,
}

/// Selects addresses in quarantine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QuarantineQuery {
    /// Only addresses on this link.
    pub link: Option<String>,
    /// The cursor to continue at: `next` of the page before.
    pub after: Option<String>,
    /// The largest number of items on the page.
    #[schemars(range(min = 1, max = 5000))]
    pub limit: Option<u32>,
}

/// Selects reservations of the list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReservationQuery {
    /// Only reservations on this link.
    pub link: Option<String>,
    /// The cursor to continue at: `next` of the page before.
    pub after: Option<String>,
    /// The largest number of items on the page.
    #[schemars(range(min = 1, max = 5000))]
    pub limit: Option<u32>,
}

/// A query without parameters.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoQuery {}

/// Selects events of the timeline.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// Only events after this number, from the first one on. Without it, the list has the last events.
    pub after: Option<i64>,
    /// Only events before this number. Not for a stream.
    pub before: Option<i64>,
    /// Only events on this link.
    pub link: Option<String>,
    /// Only events of this client.
    #[schemars(with = "Option<scalar::Id>")]
    pub client: Option<ClientId>,
    /// Only events of this instance.
    #[schemars(with = "Option<scalar::Id>")]
    pub instance: Option<InstanceId>,
    /// The largest number of items on the page. Not for a stream.
    #[schemars(range(min = 1, max = 5000))]
    pub limit: Option<u32>,
}

/// Parameters of a Reconfigure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReconfigureQuery {
    /// The message that the client is asked to send.
    #[serde(default)]
    pub message: Asked,
}
