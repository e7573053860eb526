//! Everything that the rules know: plain values, read before and apart from them.

mod daemon;
mod database;
mod engine;
mod machine;
mod marks;
mod others;
mod policy;
#[cfg(test)]
mod samples;
mod wanted;

use serde::{Deserialize, Serialize};

pub use daemon::{ConditionFacts, DaemonFacts, DaemonState};
pub use database::DatabaseFacts;
pub use engine::{EngineFacts, EngineProduct};
pub use machine::{
    AbandonedSite, DiskFacts, DiskSpace, FeatureFacts, FeatureState, FirewallFacts, ForwardChain, MachineFacts,
    NeighborFacts, NeighborLimits, ProcessFacts, RoutedInterface, Usage,
};
pub use marks::{Compared, FoundMarks, KnownInstance, LostPart, MarkFacts, Phase, Stray, compare_marks};
pub use others::{OtherFacts, OtherKind};
pub use policy::PolicyFacts;
pub use wanted::{ImageNeed, TemplateNeeds, Wanted};

/// A fact, or why it could not be read.
pub type Fact<T> = Result<T, String>;

/// The facts of one host and of the daemon that uses it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The daemon.
    pub daemon: DaemonFacts,
    /// What the settings and the database want of the machine.
    pub wanted: Fact<Wanted>,
    /// The machine.
    pub machine: Fact<MachineFacts>,
    /// The engines that templates use.
    pub engines: Fact<Vec<EngineFacts>>,
    /// The database.
    pub database: Fact<DatabaseFacts>,
    /// The packet filter; `None` if no link has isolation.
    pub policy: Fact<Option<PolicyFacts>>,
    /// Other servers and routers that were seen on the links lately, the youngest first.
    pub others: Fact<Vec<OtherFacts>>,
    /// What bears the site's mark, compared with what is recorded.
    pub marks: Fact<MarkFacts>,
}
