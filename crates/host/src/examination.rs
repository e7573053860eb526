//! The examination of a host by the doctor.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator_doctor::{EngineFacts, Fact, MachineFacts, MachineRequest};
use serde::{Deserialize, Serialize};

/// What of a host is to be examined.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExamineRequest {
    /// The machine.
    pub machine: MachineRequest,
    /// The engines to ask, each with the images that it is to have.
    pub engines: BTreeMap<String, BTreeSet<String>>,
}

/// What was found on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examination {
    /// The machine.
    pub machine: Fact<MachineFacts>,
    /// The engines that were asked.
    pub engines: Vec<EngineFacts>,
    /// The volumes that are there, by their ids.
    pub volumes: Fact<BTreeSet<String>>,
}
