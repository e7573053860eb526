//! The hosts that the empty slots of a service may be placed on, with what each carries.
//!
//! What is known of a host is counted once for each version that has empty slots, and adjusted with each slot that is placed: a
//! service has up to ten thousand slots.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use orchestrator_model::{HostId, Instance, Phase, ServiceSlot, SlotKey, SlotState};
use orchestrator_service::place::{Carried, KnownHost, NoHost, choose};
use orchestrator_service::{Placement, ServiceSpec};
use orchestrator_settings::TemplateSettings;

use super::reading::Reading;

/// Says what a host carries, as [`HostLoads::load`](super::HostLoads::load).
type Load<'a> = dyn Fn(&HostId, &TemplateSettings, Option<&SlotKey>) -> (u64, bool) + 'a;

/// The hosts, for each version that has empty slots.
pub(super) struct Candidates<'a> {
    versions: BTreeMap<u64, Vec<(KnownHost, Carried)>>,
    /// Why the next slot of a version finds no host. The one after it finds none either.
    without: BTreeMap<u64, NoHost>,
    load: &'a Load<'a>,
}

impl<'a> Candidates<'a> {
    /// Counts what these hosts carry, for the versions of these empty slots.
    pub(super) fn new(reading: &Reading, hosts: Vec<KnownHost>, empty: &[&ServiceSlot], load: &'a Load<'a>) -> Self {
        let (of_service, of_version) = (count(reading), count_versions(reading));
        let versions: BTreeSet<u64> = empty.iter().map(|slot| slot.version).collect();
        let carried = |version: u64, template: &TemplateSettings, host: &KnownHost| {
            let (all, is_full) = load(&host.id, template, None);
            let (count, failing) = of_service.get(&host.id).copied().unwrap_or_default();
            Carried {
                of_service: count,
                of_version: of_version.get(&(&host.id, version)).copied().unwrap_or_default(),
                failing,
                all,
                is_full,
            }
        };
        let of = |version: u64| {
            let template = &reading.spec(version)?.template;
            let hosts = hosts.iter();
            let hosts = hosts.map(|host| (host.clone(), carried(version, template, host)));
            Some((version, hosts.collect()))
        };
        Self {
            versions: versions.into_iter().filter_map(of).collect(),
            without: BTreeMap::new(),
            load,
        }
    }

    /// Places the next slot of a version: on the host that it was given before, if that may still have it. `granted` is the
    /// slot if it has a place already, which then does not count.
    ///
    /// # Errors
    ///
    /// Why there is no host.
    pub(super) fn place(
        &mut self,
        version: u64,
        spec: &ServiceSpec,
        before: Option<&HostId>,
        granted: Option<&SlotKey>,
    ) -> Result<HostId, NoHost> {
        if let Some(reason) = self.without.get(&version) {
            return Err(reason.clone());
        }
        let hosts = self.versions.get(&version).map_or(&[][..], Vec::as_slice);
        let chosen = match granted {
            None => again(&spec.placement, hosts, before),
            Some(slot) => again(&spec.placement, &self.but_for(slot, hosts, &spec.template), before),
        };
        match &chosen {
            Ok(host) => self.take(host, version),
            Err(reason) => drop(self.without.insert(version, reason.clone())),
        }
        chosen
    }

    /// The hosts without the place that this slot has.
    fn but_for(
        &self,
        slot: &SlotKey,
        hosts: &[(KnownHost, Carried)],
        template: &TemplateSettings,
    ) -> Vec<(KnownHost, Carried)> {
        let but_for = |(host, carried): &(KnownHost, Carried)| {
            let (with, _) = (self.load)(&host.id, template, None);
            let (without, is_full) = (self.load)(&host.id, template, Some(slot));
            let all = carried.all.saturating_sub(with.saturating_sub(without));
            let carried = Carried {
                all,
                is_full,
                ..*carried
            };
            (host.clone(), carried)
        };
        hosts.iter().map(but_for).collect()
    }

    /// An instance of this version will be on this host.
    fn take(&mut self, host: &HostId, version: u64) {
        for (of, hosts) in &mut self.versions {
            for (_, carried) in hosts.iter_mut().filter(|(one, _)| one.id == *host) {
                carried.add_one();
                carried.of_version -= u32::from(*of != version);
            }
        }
    }
}

/// How many instances of the service each host has, and how many of them it did not bring up.
fn count(reading: &Reading) -> HashMap<&HostId, (u32, u32)> {
    let mut counts: HashMap<&HostId, (u32, u32)> = HashMap::new();
    for instance in &reading.situation.instances {
        if let Some(host) = &instance.host {
            let (all, failing) = counts.entry(host).or_default();
            *all += 1;
            *failing += u32::from(is_failing(instance));
        }
    }
    counts
}

/// How many wanted instances of each version each host has.
fn count_versions(reading: &Reading) -> HashMap<(&HostId, u64), u32> {
    let mut counts = HashMap::new();
    let wanted = reading.situation.slots.iter();
    for slot in wanted.filter(|slot| slot.state == SlotState::Wanted) {
        if let Some(host) = reading.instance_in(slot).and_then(|instance| instance.host.as_ref()) {
            *counts.entry((host, slot.version)).or_default() += 1;
        }
    }
    counts
}

/// Whether the host of an instance was tried and did not bring it up.
fn is_failing(instance: &Instance) -> bool {
    let is_coming = matches!(instance.phase, Phase::Pending | Phase::Starting);
    (is_coming && instance.reason.is_some()) || (instance.phase != Phase::Ready && instance.attempts > 0)
}

/// The host of a slot: the same as before while that may have it, unless it is full and another one is not.
fn again(placement: &Placement, hosts: &[(KnownHost, Carried)], before: Option<&HostId>) -> Result<HostId, NoHost> {
    let best = choose(placement, hosts)?;
    let find = |id: &HostId| hosts.iter().find(|(host, _)| host.id == *id);
    let is_full = |id: &HostId| find(id).is_some_and(|(_, carried)| carried.is_full);
    let kept = before.and_then(find).filter(|one| {
        let may_have_it = choose(placement, std::slice::from_ref(*one)).is_ok();
        may_have_it && (!one.1.is_full || is_full(&best.id))
    });
    Ok(kept.map_or(best, |(host, _)| host).id.clone())
}

#[cfg(test)]
mod tests {
    use orchestrator_model::HostState;

    use super::*;

    fn hosts(carried: [Carried; 2]) -> Vec<(KnownHost, Carried)> {
        let host = |name: &str| KnownHost {
            id: HostId::new(name),
            name: name.to_owned(),
            roles: Vec::new(),
            state: HostState::Active,
        };
        [host("a"), host("b")].into_iter().zip(carried).collect()
    }

    #[test]
    fn a_host_that_was_given_stays_unless_it_is_full_or_not_allowed_any_more() {
        let (before, placement) = (HostId::new("b"), Placement::default());
        let full = Carried {
            is_full: true,
            ..Carried::default()
        };
        let given = |carried, before| again(&placement, &hosts(carried), before).unwrap().to_string();
        let none = Carried::default();
        assert_eq!(given([none, none], None), "a");
        assert_eq!(given([none, none], Some(&before)), "b");
        assert_eq!(given([none, full], Some(&before)), "a");
        assert_eq!(given([full, full], Some(&before)), "b");
        let mut drained = hosts([full, none]);
        drained[1].0.state = HostState::Draining;
        assert_eq!(again(&placement, &drained, Some(&before)).unwrap().as_str(), "a");
    }
}
