//! What a host is asked to do, as plain values.

mod attachment;
mod container;
mod dial;
mod instance;
mod network;
mod policy;
mod policy_seen;
mod readiness;
mod removal;
mod volume;

pub use attachment::AttachmentPlan;
pub use container::{ContainerPlan, ContainerRef};
pub use dial::{DialPlan, Socket};
pub use instance::{InstancePlan, InstanceRef};
pub use network::{Applied, BridgePlan, BridgePurpose, NetworkChange, NetworkItem, NetworkKey, NetworkPart, RoutePlan};
pub use policy::{
    ClientBinding, Destination, Door, Endpoint, InstanceBinding, LinkPolicy, Pair, PolicyItem, PolicyKey, PortRate,
    PortRole, Protocol, Traffic,
};
pub use policy_seen::{Count, DropCause, PolicyCounts, RebuildReason};
pub use readiness::ReadinessPlan;
pub use removal::RemovalPlan;
pub use volume::MountPlan;
