//! Keys and values.

use orchestrator_model::{InstanceId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::scalar;

/// Which keys are read, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KvQuery {
    /// Whether to read all keys at and below the path.
    #[serde(default, deserialize_with = "flag")]
    pub recurse: bool,
    /// The same without the values.
    #[serde(default, deserialize_with = "flag")]
    pub keys: bool,
    /// Whether to answer with the bytes of the value as they are. For one key only.
    #[serde(default, deserialize_with = "flag")]
    pub raw: bool,
    /// Wait until a key at or below the path has changed after this number: the `index` of an earlier answer. For a stream,
    /// begin after it.
    pub index: Option<i64>,
    /// How long to wait at most: "0s" to "10m"; without it, 30 seconds. Then the answer comes all the same.
    pub wait: Option<String>,
}

/// How a key is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KvPutQuery {
    /// Set it only if it has this version; 0 if there may be no such key.
    pub cas: Option<i64>,
    /// Bind it to the life of this instance: it is removed when that ends.
    #[schemars(with = "Option<scalar::Id>")]
    pub instance: Option<InstanceId>,
    /// Bind it to the life of this lease, like "br0/fd39::1": it is removed when that ends.
    pub lease: Option<String>,
}

/// Which keys are removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KvDeleteQuery {
    /// Remove it only if it has this version.
    pub cas: Option<i64>,
    /// Whether to remove all keys at and below the path.
    #[serde(default, deserialize_with = "flag")]
    pub recurse: bool,
}

/// A key, with its value where that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KvEntry {
    /// Its path: NAMESPACE/KEY.
    pub path: String,
    /// The value, if it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The value in base64, if it is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// The size of the value in bytes.
    pub size: u64,
    /// Its version. It rises with every change of any key, also when a key is removed and made again.
    pub version: i64,
    /// When it was made.
    #[schemars(with = "scalar::Timestamp")]
    pub created: Timestamp,
    /// When its value was last set.
    #[schemars(with = "scalar::Timestamp")]
    pub changed: Timestamp,
    /// The instance that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<scalar::Id>")]
    pub instance: Option<InstanceId>,
    /// The lease that it is bound to, like "br0/fd39::1".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<String>,
}

/// Keys at one moment, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KvPage {
    /// The keys.
    pub items: Vec<KvEntry>,
    /// The number to wait after: what changes later has a higher one.
    pub index: i64,
}

/// A change of a key, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KvChange {
    /// The path of the key.
    pub path: String,
    /// The number of the change. If the key was set, its version.
    pub version: i64,
    /// Whether it was removed.
    pub removed: bool,
    /// When it happened.
    #[schemars(with = "scalar::Timestamp")]
    pub at: Timestamp,
}

/// A namespace that has keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KvNamespace {
    /// Its name: that of a service, "client:" and the id of a client, or a name that somebody chose.
    pub name: String,
    /// The number of its keys.
    pub keys: u64,
    /// The sizes of its values together, in bytes.
    pub bytes: u64,
}

/// Reads `?flag`, `?flag=true` and `?flag=false`.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.as_str() {
        "" | "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(serde::de::Error::custom(format!("{other:?} is neither true nor false"))),
    }
}
