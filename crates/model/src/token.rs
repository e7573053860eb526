//! Tokens, by which callers of the API prove who they are.

use super::{Id, Role, Timestamp};

/// The largest number of tokens.
pub const MOST_TOKENS: usize = 1024;

/// A token as it is recorded. The token itself is not: only its hash is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedToken {
    /// Its name: 1 to 40 of a-z, 0-9, "-" and ".". The timeline has it.
    pub name: String,
    /// The part of the token that says which one it is. It is not secret.
    pub id: Id,
    /// What its holder may do.
    pub role: Role,
    /// The paths that its holder may use, each perhaps with a method before it. Empty for all that the role may.
    pub scope: Vec<String>,
    /// Whether it is a key that signs requests, and is never sent itself.
    pub signs: bool,
    /// The keyed hash of its secret part, as hexadecimal digits.
    pub hash: String,
    /// The hash of the secret part before the last rotation, and until when that is accepted.
    pub earlier: Option<(String, Timestamp)>,
    /// When it was made.
    pub created: Timestamp,
    /// By whom it was made.
    pub by: Option<String>,
    /// When it ends; `None` for never.
    pub until: Option<Timestamp>,
    /// About when it was last used. It is recorded at most once a minute.
    pub used: Option<Timestamp>,
}
