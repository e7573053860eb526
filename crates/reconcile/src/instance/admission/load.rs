//! How much hosts carry, for the choice of one.

use orchestrator_model::{HostId, SlotKey};
use orchestrator_settings::TemplateSettings;

use super::claim::Size;
use super::limits::Limits;
use super::tally::Sum;
use super::{Admission, check};
use crate::instance::Orchestrator;
use crate::services::HostLoads;

impl HostLoads for Orchestrator {
    fn load(&self, host: &HostId, slot: &SlotKey, template: &TemplateSettings) -> (u64, bool) {
        let size = Size::of_template(template);
        self.with_admission(|admission, limits, _| admission.load(host, slot, size, limits))
    }
}

impl Admission {
    /// The instances that a host has promised a place, and whether there is no room for one more of this size in this slot. What
    /// the slot was granted and is not recorded yet does not count.
    fn load(&self, host: &HostId, slot: &SlotKey, size: Size, limits: &Limits) -> (u64, bool) {
        let own = self.making.get(slot);
        let own = own.filter(|making| !making.is_recorded && making.claim.host == *host);
        let own = own.map_or_else(Sum::default, |making| Sum {
            instances: 1,
            size: making.claim.size,
        });
        let used = self.usage.hosts.of(host);
        let others = used.instances.saturating_sub(own.instances);
        let with_it = Sum {
            instances: others.saturating_add(1),
            size: used.size.minus(own.size).plus(size),
        };
        (others, check::exceeds(with_it, limits.host(host)))
    }
}
