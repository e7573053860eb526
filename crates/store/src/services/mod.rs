//! Services as rows: what is deployed, its versions and its slots.

mod apart;
mod change;
mod deploy;
mod operations;
mod read;
mod remove;
mod roll;
mod rows;

use super::connection::statements;
use orchestrator_model::{
    EventKind, Instance, NewEvent, Operation, RecordedService, ServiceSlot, ServiceVersion, Timestamp,
};

pub use apart::Apart;
pub use change::ServiceChange;
pub use deploy::{Deployed, NewDeploy};
pub use operations::OperationFilter;
pub use read::HeldVersion;
pub(crate) use read::held_versions;
pub use roll::{Failures, RollOutcome, ServiceUpdate, SlotChange, Waits};

/// The largest number of services.
pub const MOST_SERVICES: usize = 10_000;

/// The number of versions of a service that are kept beside those in use.
const KEPT_VERSIONS: i64 = 20;

/// Every statement about services.
pub(super) const ALL: &[&[&str]] = &[
    STATEMENTS,
    change::STATEMENTS,
    deploy::STATEMENTS,
    operations::STATEMENTS,
    read::STATEMENTS,
    remove::STATEMENTS,
    roll::STATEMENTS,
];

statements! {
    // What is deployed has no version beside it that is older than the last ones, unless something still has it.
    PRUNE_VERSIONS = "delete from service_versions where service = $1 and version <= $2
        and version <> (select s.version from services s where s.name = $1)
        and version <> (select coalesce(s.good_version, 0) from services s where s.name = $1)
        and version not in (select l.version from service_slots l where l.service = $1)
        and not exists (select 1 from instances i where i.phase <> 'removed'
            and i.template = 'service:' || $1 || ':' || service_versions.version)";
}

/// A service with all that its reconciler has to know, at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceSituation {
    /// The service.
    pub service: RecordedService,
    /// Its slots, by number.
    pub slots: Vec<ServiceSlot>,
    /// The versions that it or one of its slots has, and the last good one.
    pub versions: Vec<ServiceVersion>,
    /// The operation that runs on it.
    pub operation: Option<Operation>,
    /// Its live instances. Those of a service with one for each client are the clients' instances in its slot.
    pub instances: Vec<Instance>,
}

impl ServiceSituation {
    /// A version in use, by its number.
    pub fn version(&self, number: u64) -> Option<&ServiceVersion> {
        self.versions.iter().find(|version| version.version == number)
    }
}

/// An event of a service.
fn event(kind: EventKind, service: &str, detail: String, at: Timestamp, by: Option<&str>) -> NewEvent {
    NewEvent {
        service: Some(service.to_owned()),
        detail: Some(detail),
        by: by.map(str::to_owned),
        ..NewEvent::new(at, kind)
    }
}
