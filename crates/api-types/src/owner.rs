//! Owners of instances.

use orchestrator_model::ClientId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;

/// The owner of an instance: its kind, and its name among the owners of that kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "name", rename_all = "lowercase")]
pub enum Owner {
    /// A client, by its id. It owns instances while it holds a lease.
    Client(#[schemars(with = "scalar::Id")] ClientId),
    /// A service. It owns as many instances as it wants replicas.
    Service(String),
    /// A pool of warm instances, which are started before a client needs them.
    Pool(String),
    /// An operator who asked for the instance.
    Operator(String),
}
