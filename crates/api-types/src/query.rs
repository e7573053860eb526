//! What may stand in the query of a request.

use orchestrator_model::{ClientId, InstanceId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Asked, LeaseState, Phase, scalar};

/// Which clients are listed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientQuery {
    /// Only those on this link.
    pub link: Option<String>,
    /// Only those that go by this name: an id, a host name, a DUID or an address, or the beginning of one.
    pub name: Option<String>,
    /// Where to go on: `next` of the page before.
    pub after: Option<String>,
    /// Items of a page at most.
    #[schemars(range(min = 1, max = 5000))]
    pub limit: Option<u32>,
}

/// Which leases are listed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaseQuery {
    /// Only those on this link.
    pub link: Option<String>,
    /// Only those of which this has become.
    pub state: Option<LeaseState>,
    /// Only those of this client.
    #[schemars(with = "Option<scalar::Id>")]
    pub client: Option<ClientId>,
    /// Where to go on: `next` of the page before.
    pub after: Option<String>,
    /// Items of a page at most.
    #[schemars(range(min = 1, max = 5000))]
    pub limit: Option<u32>,
}

/// Which instances are listed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceQuery {
    /// Also those that are gone.
    #[serde(default)]
    pub all: bool,
    /// Only those on this link.
    pub link: Option<String>,
    /// Only those of this client.
    #[schemars(with = "Option<scalar::Id>")]
    pub client: Option<ClientId>,
    /// Only those that go by this name: their id or address, or what their client goes by, or the beginning of one.
    pub name: Option<String>,
    /// Only those in this phase.
    pub phase: Option<Phase>,
    /// Where to go on: `next` of the page before.
    pub after: Option<String>,
    /// Items of a page at most.
    #[schemars(range(min = 1, max = 5000))]
    pub limit: Option<u32>,
}

/// What else is done when an instance is removed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DestroyQuery {
    /// Free the client's leases, too.
    #[serde(default)]
    pub release: bool,
}

/// Which reservations are listed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReservationQuery {
    /// Only those on this link.
    pub link: Option<String>,
    /// Where to go on: `next` of the page before.
    pub after: Option<String>,
    /// Items of a page at most.
    #[schemars(range(min = 1, max = 5000))]
    pub limit: Option<u32>,
}

/// A query that takes nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoQuery {}

/// Which events are listed or streamed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventQuery {
    /// The first ones after this number; without it, the last ones there are.
    pub after: Option<i64>,
    /// Only those before this number. Not for a stream.
    pub before: Option<i64>,
    /// Only those on this link.
    pub link: Option<String>,
    /// Only those of this client.
    #[schemars(with = "Option<scalar::Id>")]
    pub client: Option<ClientId>,
    /// Only those of this instance.
    #[schemars(with = "Option<scalar::Id>")]
    pub instance: Option<InstanceId>,
    /// Items of a page at most. Not for a stream.
    #[schemars(range(min = 1, max = 5000))]
    pub limit: Option<u32>,
}

/// How a client is made to ask again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReconfigureQuery {
    /// The message that it is to send.
    #[serde(default)]
    pub message: Asked,
}
