//! The times of instances.

use orchestrator_api_types as wire;
use orchestrator_model::Instance;

use super::IntoWire;

/// The times of an instance, with the deadlines that follow from them.
pub(super) fn times(instance: &Instance) -> wire::InstanceTimes {
    let deadline = instance.deadline();
    let times = &instance.times;
    wire::InstanceTimes {
        deadline: deadline.map(|deadline| deadline.at),
        cause: deadline.map(|deadline| deadline.cause.into_wire()),
        lifetime_ends: times.until,
        idle_limit: times.idle.map(|idle| idle.as_secs()),
        idle_ends: instance.idle_until(),
        kept_until: times.kept_until,
        pinned: times.pinned,
        expired: times.expired.map(IntoWire::into_wire),
        extended: times.extended,
        off: times.off,
        reset: times.reset,
    }
}
