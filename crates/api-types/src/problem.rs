//! What is wrong with a request.

use std::fmt;

use orchestrator_model::Id;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;

/// Why the daemon did not do as asked (RFC 9457). Programs tell problems apart by `code`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Problem {
    /// Always `about:blank`: `code` says what kind of problem it is.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A stable word for the problem.
    pub code: String,
    /// What happened and what to do, for people.
    pub detail: String,
    /// The instances that may have been meant: several that an id may stand for, or the one that is there now.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<scalar::Id>")]
    pub candidates: Vec<Id>,
    /// Each thing that is wrong, where there may be several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        if !self.code.is_empty() {
            write!(f, " ({})", self.code)?;
        }
        Ok(())
    }
}
