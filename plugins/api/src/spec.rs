//! What an instance is to be.

use std::collections::BTreeMap;

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
