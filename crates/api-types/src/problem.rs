//! Problems: error answers.

use std::fmt;

use orchestrator_model::Id;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar;

/// The reason why a request failed (RFC 9457). Programs distinguish problems by `code`.
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
    /// The instances that may have been meant: those whose ids begin as the given one does, or the client's present
    /// one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<scalar::Id>")]
    pub candidates: Vec<Id>,
    /// All faults, if there may be several.
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
