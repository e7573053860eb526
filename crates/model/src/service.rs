//! Services as they are recorded: versions, slots, and the operations on them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::lease::words;
use super::{Id, InstanceId, Slot, Timestamp};

/// The id of an operation.
pub type OperationId = Id;

/// A service as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedService {
    /// Its name.
    pub name: String,
    /// It rises with every change that somebody asked for. A caller can hold a change to it.
    pub generation: u64,
    /// The version that its instances are to have.
    pub version: u64,
    /// The last version of which all instances served steadily, or the first that served; `None` while there was none.
    pub good_version: Option<u64>,
    /// The number of its instances; `None` for one for each client.
    pub instances: Option<u32>,
    /// Whether its oldest instances end first when there are to be fewer. Otherwise those with the highest numbers do.
    pub oldest_first: bool,
    /// Whether it is there, or is being removed.
    pub state: ServiceState,
    /// Since when nothing is rolled; `None` while it is not paused.
    pub paused: Option<Timestamp>,
    /// Why the last change of its version failed; `None` after one that did not.
    pub reason: Option<String>,
    /// Failures of instances of its version in a row.
    pub failures: u32,
    /// When the last of them was recorded.
    pub failed_at: Option<Timestamp>,
    /// The version that was given up while there was no good one to go back to. It is tried again slowly.
    pub given_up: Option<u64>,
    /// When it was first deployed.
    pub created: Timestamp,
    /// When it was last changed by somebody.
    pub changed: Timestamp,
    /// Who changed it last.
    pub by: Option<String>,
}

/// Whether a service is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceState {
    /// It is there.
    Active,
    /// It is to be removed, and goes when its last instance is gone.
    Removing,
}

words!(ServiceState { Active = "active", Removing = "removing" });

/// A version of a service. It never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceVersion {
    /// The service.
    pub service: String,
    /// The number, from 1.
    pub version: u64,
    /// What was deployed, as JSON.
    pub spec: String,
    /// The version of the template that its instances are made from.
    pub template_version: u64,
    /// When it was deployed.
    pub created: Timestamp,
    /// Who deployed it.
    pub by: Option<String>,
}

/// A slot of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSlot {
    /// Its number.
    pub number: u32,
    /// The version that its instance is made from.
    pub version: u64,
    /// What is to become of it.
    pub state: SlotState,
    /// Whether its instance answers the checks of the service. One that is not ready passes nothing.
    pub health: Health,
    /// The instance that the health is of. Nothing is known of any other.
    pub instance: Option<InstanceId>,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it last began or ceased to serve, or began to drain.
    pub since: Timestamp,
    /// What the last failed check found.
    pub detail: Option<String>,
}

impl ServiceSlot {
    /// A slot that has just been opened.
    pub const fn open(number: u32, version: u64, at: Timestamp) -> Self {
        Self {
            number,
            version,
            state: SlotState::Wanted,
            health: Health::Unknown,
            instance: None,
            opened: at,
            since: at,
            detail: None,
        }
    }

    /// The slot of the owner that instances name.
    pub fn slot(&self) -> Slot {
        Slot::numbered(self.number)
    }

    /// The health of this instance, if it is the one in the slot.
    pub fn health_of(&self, instance: InstanceId) -> Health {
        match self.instance == Some(instance) {
            true => self.health,
            false => Health::Unknown,
        }
    }
}

/// What is to become of a slot of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SlotState {
    /// It is to have an instance.
    Wanted,
    /// Its instance keeps the connections that it has, and gets no new ones.
    Draining,
    /// Its instance is being removed. Its number is free when that is gone.
    Closed,
}

words!(SlotState {
    Wanted = "wanted",
    Draining = "draining",
    Closed = "closed",
});

/// Whether an instance of a service answers the checks of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// No check has succeeded yet, and too few have failed.
    Unknown,
    /// The checks succeed.
    Passing,
    /// The checks fail.
    Failing,
}

words!(Health {
    Unknown = "unknown",
    Passing = "passing",
    Failing = "failing",
});

/// Something that somebody started on a service, and can wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// What was asked for.
    pub kind: OperationKind,
    /// The service.
    pub service: String,
    /// The version that the service is to have.
    pub version: u64,
    /// The generation of the service that it made.
    pub generation: u64,
    /// How far it is.
    pub state: OperationState,
    /// What it does or why it failed, for people.
    pub detail: Option<String>,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it ended; `None` while it runs.
    pub ended: Option<Timestamp>,
    /// Who asked for it.
    pub by: Option<String>,
}

/// The kind of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationKind {
    /// A new version.
    Deploy,
    /// Another number of instances.
    Scale,
    /// The same version, with new instances.
    Bump,
    /// An earlier version.
    Rollback,
    /// The removal of the service.
    Remove,
}

words!(OperationKind {
    Deploy = "deploy",
    Scale = "scale",
    Bump = "bump",
    Rollback = "rollback",
    Remove = "remove",
});

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationState {
    /// It is under way.
    Running,
    /// All is as it was asked for.
    Done,
    /// It failed. The service has what it had before, or is on its way back to that.
    Failed,
    /// Somebody asked for something else meanwhile.
    Replaced,
}

words!(OperationState {
    Running = "running",
    Done = "done",
    Failed = "failed",
    Replaced = "replaced",
});

/// How the names of templates begin that services fill.
const TEMPLATE: &str = "service:";

/// The name of the template that the instances of a version of a service are made from. No other template's name has a
/// colon.
pub fn service_template(service: &str, version: u64) -> String {
    format!("{TEMPLATE}{service}:{version}")
}

/// The service and the version of a template, if it is one of a service.
pub fn service_of_template(template: &str) -> Option<(&str, u64)> {
    let (service, version) = template.strip_prefix(TEMPLATE)?.rsplit_once(':')?;
    Some((service, version.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_of_a_service_names_its_service_and_version() {
        assert_eq!(service_template("web", 7), "service:web:7");
        assert_eq!(service_of_template("service:web:7"), Some(("web", 7)));
        assert_eq!(service_of_template("web"), None);
        assert_eq!(service_of_template("service:web"), None);
    }

    #[test]
    fn health_counts_for_its_own_instance_alone() {
        let (one, other) = (Id::from_bytes([1; 6]), Id::from_bytes([2; 6]));
        let mut slot = ServiceSlot::open(0, 1, Timestamp(5));
        assert_eq!(slot.health_of(one), Health::Unknown);
        (slot.instance, slot.health) = (Some(one), Health::Passing);
        assert_eq!(slot.health_of(one), Health::Passing);
        assert_eq!(slot.health_of(other), Health::Unknown);
    }
}
