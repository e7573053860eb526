//! The examination of a host by the doctor.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator_doctor::{EngineFacts, Fact, MachineFacts, MachineRequest, PolicyFacts};
use serde::{Deserialize, Serialize};

use crate::PolicyItem;

/// What of a host is to be examined.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExamineRequest {
    /// The machine.
    pub machine: MachineRequest,
    /// The engines to ask, each with the images that it is to have.
    pub engines: BTreeMap<String, BTreeSet<String>>,
    /// What the packet filter is to let pass; `None` if it is not compared.
    pub policy: Option<Vec<PolicyItem>>,
}

/// What was found on a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examination {
    /// The machine.
    pub machine: Fact<MachineFacts>,
    /// The engines that were asked.
    pub engines: Vec<EngineFacts>,
    /// The packet filter, compared with what it is to be; `None` if nobody asked.
    pub policy: Fact<Option<PolicyFacts>>,
    /// The volumes that are there, by their ids.
    pub volumes: Fact<BTreeSet<String>>,
}
