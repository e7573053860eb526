//! How much hosts carry, for the choice of one.

use std::collections::BTreeSet;

use orchestrator_model::{HostId, Owner, Slot, SlotKey};
use orchestrator_settings::TemplateSettings;

use super::claim::Size;
use super::limits::Limits;
use super::tally::Sum;
use super::{Admission, check};
use crate::instance::Orchestrator;
use crate::services::HostLoads;

impl HostLoads for Orchestrator {
    fn load(&self, host: &HostId, template: &TemplateSettings, slot: Option<&SlotKey>) -> (u64, bool) {
        let size = Size::of_template(template);
        self.with_admission(|admission, limits, _| admission.load(host, slot, size, limits))
    }

    fn granted(&self, owner: &Owner) -> BTreeSet<Slot> {
        self.with_admission(|admission, _, _| admission.granted(owner))
    }

    fn held_up(&self, slot: &SlotKey) -> Option<String> {
        self.with_admission(|admission, _, _| admission.limit_of(slot))
    }
}

impl Admission {
    /// The slots of an owner that were granted a place, and whose instances are not recorded yet.
    pub(super) fn granted(&self, owner: &Owner) -> BTreeSet<Slot> {
        let first = SlotKey::new(owner.clone(), Slot::new(""));
        let own = self.making.range(first..).take_while(|(key, _)| key.owner == *owner);
        let unrecorded = own.filter(|(_, making)| !making.is_recorded);
        unrecorded.map(|(key, _)| key.slot.clone()).collect()
    }

    /// The limit or the pause that a slot waits for.
    pub(super) fn limit_of(&mut self, slot: &SlotKey) -> Option<String> {
        let block = &self.queue.get_mut(slot)?.block;
        block.is_limit().then(|| block.to_string())
    }

    /// The instances that a host has promised a place, and whether there is no room for one more of this size. What `slot` was
    /// granted and is not recorded yet does not count.
    pub(super) fn load(&self, host: &HostId, slot: Option<&SlotKey>, size: Size, limits: &Limits) -> (u64, bool) {
        let own = slot.and_then(|slot| self.making.get(slot));
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
