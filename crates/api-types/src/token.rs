//! Tokens, by which callers of the API prove who they are.

use orchestrator_model::{Id, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;
use crate::word::words;

words! {
    /// What a caller may do.
    pub enum Role {
        /// Hand over events of a DHCP server, and nothing else.
        Hook = "hook",
        /// Read.
        Viewer = "viewer",
        /// Also change instances, leases, reservations, keys and values.
        Operator = "operator",
        /// Everything.
        Admin = "admin",
    }
}

/// A token to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// Its name: 1 to 40 of a-z, 0-9, "-" and ".". The timeline shows it.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// The paths that it is for, with all that is below them, each perhaps with a method before it: "GET /v1/kv/web".
    /// Without any, it is for all that the role may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<String>,
    /// How long it lives, from "1m" to "3650d"; without it, until it is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Whether it is a key that signs requests, and is never sent itself.
    #[serde(default)]
    pub sign: bool,
}

/// A request for another secret part of a token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateToken {
    /// How long the one before is still accepted: "0s" to "3650d". Without it, one hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<String>,
}

/// A token, without its secret part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Token {
    /// Its name.
    pub name: String,
    /// The part of the token that says which one it is. A signature names it.
    #[schemars(with = "scalar::Id")]
    pub id: Id,
    /// What its holder may do.
    pub role: Role,
    /// The paths that it is for; empty for all that the role may.
    pub scope: Vec<String>,
    /// Whether it is a key that signs requests.
    pub signs: bool,
    /// When it was made.
    #[schemars(with = "scalar::Timestamp")]
    pub created: Timestamp,
    /// Who made it.
    pub by: Option<String>,
    /// When it ends; `null` for never.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub until: Option<Timestamp>,
    /// When it was last used; `null` for never. After a restart of the daemon it may be a minute too early.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub used: Option<Timestamp>,
    /// Until when its secret part from before the last rotation is accepted; `null` if it was never rotated.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub earlier_until: Option<Timestamp>,
}

/// A token that was made or rotated, with the token itself, which is shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MadeToken {
    /// The token itself. It is nowhere else.
    pub secret: String,
    /// What is recorded of it.
    pub token: Token,
}
