//! What an executable answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Container, Fault};

/// An answer: the only thing on the standard output of the executable. One of `result` and `error` is there; with `error`
/// the exit code is not 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answer<T> {
    /// What came of the verb.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<T>,
    /// Why nothing came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Fault>,
}

impl<T> From<Result<T, Fault>> for Answer<T> {
    fn from(outcome: Result<T, Fault>) -> Self {
        match outcome {
            Ok(result) => Self {
                result: Some(result),
                error: None,
            },
            Err(error) => Self {
                result: None,
                error: Some(error),
            },
        }
    }
}

/// The result of VERSION.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// The versions of the protocol that the executable speaks. The daemon takes the newest that both speak.
    pub protocols: Vec<u32>,
    /// What it is, for people: `Bubblewrap`.
    pub name: String,
    /// Its own version, or that of what it drives, for people.
    pub version: String,
    /// What it can do: `engine-namespace`, `prepared-namespace`, `shared-namespace`, `engine-port`, `tap`, `devices`,
    /// `volumes`, `files`, `resolver`, `image-pins`. At least one of the first five.
    pub capabilities: Vec<String>,
}

/// The result of CHECK, STOP and DELETE: nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Done {}

/// The result of CHECK_IMAGE.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ImageFound {
    /// Identifies the content of the image, as a digest does. With the capability `image-pins` it is 1 to 255 printable
    /// ASCII characters without spaces, and can be used in place of the image's name.
    pub id: String,
    /// Whether the image brings a health check of its own, which is not run.
    #[serde(default)]
    pub has_health_check: bool,
}

/// The result of ADD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Added {
    /// The container as it is now.
    pub container: Container,
}

/// The result of FIND.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Found")]
pub struct Found {
    /// The container; null when there is none of this site for it.
    pub container: Option<Container>,
}

/// The result of LIST.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    /// The containers of the site, the oldest first.
    pub containers: Vec<Container>,
}
