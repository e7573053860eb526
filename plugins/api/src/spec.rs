//! What an instance is to be.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Everything a plugin needs to know to make an instance.
///
/// Recorded with the instance, so that a later change of the template changes nothing of what already runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceSpec {
    /// Image to start, as the engine names it.
    pub image: String,
    /// Host name inside the instance.
    pub hostname: String,
    /// Command in place of the image's own; empty keeps the image's.
    #[serde(default)]
    pub command: Vec<String>,
    /// Environment variables for the first process.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Variables whose values are not recorded: the daemon reads each from its source right before it calls a plugin,
    /// and the plugin finds the value in `environment`.
    #[serde(default)]
    pub environment_from: BTreeMap<String, ValueSource>,
    /// Linux capabilities it keeps, without `CAP_`; all others are dropped.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// What it may use of the host.
    #[serde(default)]
    pub resources: Resources,
    /// Labels for people and their tools, besides those that carry the mark.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// Limits on what an instance may use. `None` is no limit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// Memory in bytes; swap is not added to it.
    pub memory: Option<u64>,
    /// Processor time in thousandths of one processor.
    pub millicpus: Option<u32>,
    /// Processes and threads.
    pub pids: Option<u32>,
}

/// Where the value of an environment variable is read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueSource {
    /// A file of the host, by its absolute path.
    File(PathBuf),
    /// A credential that systemd gives the daemon (`LoadCredential=` in its unit), by its name.
    Credential(String),
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Credential(name) => write!(f, "credential {name:?}"),
        }
    }
}
