//! Volumes.

use orchestrator_model::{InstanceId, Timestamp, VolumeId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::word::words;
use crate::{Owner, scalar};

words! {
    /// How far a volume has come.
    pub enum VolumeState {
        /// It is kept for its owner.
        Kept = "kept",
        /// It is being removed.
        Removing = "removing",
    }
}

/// When a volume that no instance holds is removed. Times are written as in a template: `1h`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Never, unless somebody asks for it.
    Forever,
    /// This long after its owner's last lease ended.
    AfterLease(String),
    /// This long after an instance last held it.
    Unused(String),
}

/// A directory that outlives the instances that hold it, one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VolumeView {
    /// Its id, after which its directory is named.
    #[schemars(with = "scalar::Id")]
    pub id: VolumeId,
    /// For whom it is kept.
    pub owner: Owner,
    /// The slot of the owner whose instances hold it; `null` for one that instances of any slot may hold.
    pub slot: Option<String>,
    /// Its name in the template.
    pub name: String,
    /// The host that has it.
    pub host: String,
    /// The most that it may hold, in bytes, where the file system can limit that; `null` is no limit.
    pub size: Option<u64>,
    /// The bytes that it took when it was measured last; `null` before that.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// The limit that the file system enforces, in bytes; `null` when it enforces none.
    #[serde(default)]
    pub limit: Option<u64>,
    /// Why its `size` is not enforced; `null` when it is, when it has none, and before it was measured.
    #[serde(default)]
    pub not_enforced: Option<String>,
    /// When it is removed.
    pub keep: Keep,
    /// How far it has come.
    pub state: VolumeState,
    /// When it was first recorded.
    #[schemars(with = "scalar::Timestamp")]
    pub created: Timestamp,
    /// When an instance last took it or let it go.
    #[schemars(with = "scalar::Timestamp")]
    pub used: Timestamp,
    /// The instance that holds it.
    #[schemars(with = "Option<scalar::Id>")]
    pub holder: Option<InstanceId>,
}

/// Which volumes to list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VolumeQuery {
    /// Only those of this owner: the id of a client, or the name of a service.
    pub owner: Option<String>,
    /// The most rows of an answer.
    pub limit: Option<u32>,
    /// The cursor of the page before.
    pub after: Option<String>,
}
