//! Everything that touches a machine.
//!
//! A [`Host`] is a machine with engines and networks. It starts instances, wires them, observes them and removes them.
//! The reconcilers decide what is to be; a host carries out one decision about one instance in one call.
//!
//! ```text
//!   reconcile ──▶ Host ──┬──▶ LocalHost ──▶ engine (containers) and network (netlink)
//!                        └──▶ FakeHost  ──▶ a machine in memory, for tests
//! ```
//!
//! Invariants:
//!
//! - Plans are plain values: no reference, no closure, and all of them can be written down and read back. So a plan can
//!   be sent to a host that is reached over a wire.
//! - A process number or the path of a network namespace never leaves a host.
//! - Every verb that changes something is idempotent, and may be repeated after a crash at any point.
//! - A host decides nothing: it does not retry, and it keeps no record of what is wanted.

mod capability;
mod capacity;
mod change;
mod ensured;
mod error;
mod examination;
#[cfg(feature = "fake")]
pub mod fake;
mod host;
mod listed;
mod local;
mod marked;
mod observation;
mod plan;
mod progress;
mod reaction;

pub use capability::{HostCapabilities, HostCapability};
pub use capacity::Capacity;
pub use change::{HostChange, WatchScope};
pub use ensured::Ensured;
pub use error::{AdoptFault, Cause, EnsureFault, HostError, NoAnswer, Remedy, Unwired, ValueError, VolumeError};
pub use examination::{Examination, ExamineRequest};
pub use host::{DialStream, Host};
pub use listed::{FoundAttachment, FoundBridge, FoundInstance, FoundState, ListRequest, Listed};
pub use local::{LocalHost, LocalSettings};
pub use marked::{Marked, MarkedThing};
pub use observation::{Depth, Lack, Observation};
pub use orchestrator_network::{Bridge, BridgeFlaw, BridgeHazard, BridgeIdentity, Flaw, NetworkError, ObservedBridge};
pub use orchestrator_plugin::{
    ByteStream, Capabilities, Capability, ContainerName, ContainerSpec, Credentials, DiskUse, EngineError, ExecControl,
    ExecRequest, ExecSession, Id, Image, ImageFacts, InstanceId, LogRequest, Mark, Output, OutputStream, PullProgress,
    PullRequest, Stats, TerminalSize,
};
pub use plan::{
    Applied, AttachmentPlan, BridgePlan, BridgePurpose, ClientBinding, ContainerPlan, ContainerRef, Count, Destination,
    DialPlan, Door, DropCause, Endpoint, InstanceBinding, InstancePlan, InstanceRef, LinkPolicy, MountPlan,
    NetworkChange, NetworkItem, NetworkKey, NetworkPart, Pair, PolicyCounts, PolicyItem, PolicyKey, PortRate, PortRole,
    Protocol, ReadinessPlan, RebuildReason, RemovalPlan, RoutePlan, Socket, Traffic,
};
pub use progress::{Progress, Stage};
pub use reaction::{Reaction, reaction};
