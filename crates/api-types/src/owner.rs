//! For whom an instance exists.

use orchestrator_model::ClientId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;

/// For whom an instance exists: the kind of owner, and its name among those of its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", content = "name", rename_all = "lowercase")]
pub enum Owner {
    /// A client, by its id, for as long as it holds a lease.
    Client(#[schemars(with = "scalar::Id")] ClientId),
    /// A service, for as long as it wants so many replicas.
    Service(String),
    /// A pool of warm instances, which are made before anybody asks for them.
    Pool(String),
    /// An operator who asked for it.
    Operator(String),
}
