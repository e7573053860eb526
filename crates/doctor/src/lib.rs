//! Finds what is wrong with the running system: what it means for clients, and what mends it.
//!
//! ```text
//!   the machine (/proc, netlink) ─┐
//!   engines ──────────────────────┼─▶ Facts ──▶ rules (pure, a file an area) ──▶ Diagnosis: findings and healthy areas
//!   the daemon (store, policy) ───┘                                                   │
//!                                                                       Fix ◀─────────┘ (only what is safe)
//! ```
//!
//! - The facts are plain values. A host that is reached over a wire can report its own.
//! - A fact that cannot be read is no fault: its area is reported as not examined, with the reason.
//! - A fix is idempotent, changes nothing that belongs to somebody else, and loses no data.

mod diagnosis;
mod engine;
mod facts;
mod finding;
mod fix;
mod machine;
mod mend;
mod report;
mod rules;

pub use diagnosis::{Diagnosis, diagnose};
pub use engine::examine_engine;
pub use facts::{
    AbandonedSite, Compared, ConditionFacts, DaemonFacts, DaemonState, DatabaseFacts, DiskFacts, DiskSpace,
    EngineFacts, EngineProduct, Fact, Facts, FeatureFacts, FeatureState, FirewallFacts, ForwardChain, FoundMarks,
    ImageNeed, KnownInstance, LostPart, MachineFacts, MarkFacts, NeighborFacts, NeighborLimits, OtherFacts, OtherKind,
    Phase, PolicyFacts, ProcessFacts, RoutedInterface, Stray, TemplateNeeds, Usage, Wanted, compare_marks,
};
pub use finding::{Area, AreaState, Code, Examined, Finding, Severity};
pub use fix::Fix;
pub use machine::{MachineRequest, examine_images, examine_machine};
pub use mend::{MendError, mend_machine};
