//! Bridges that have no port left, and who may try when one is free again.
//!
//! An instance that finds its bridge full is not started, and the daemon is not ready while one waits. The pass counts
//! the ports that became free, and lets as many instances try.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};

use orchestrator_host::{EnsureFault, HostError};

use super::Orchestrator;
use orchestrator_model::{HostId, Instance, Phase};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::Owned;

/// A bridge of a host.
pub(super) type Bridge = (HostId, String);

/// The bridges that are full.
#[derive(Debug, Default)]
pub(super) struct FullBridges(BTreeMap<Bridge, Full>);

/// A bridge without a port left.
#[derive(Debug, Default)]
struct Full {
    /// Ports that were found free since, and that nobody has tried yet.
    free: usize,
    /// Keeps the daemon from being ready for as long as this is here.
    condition: Option<Owned>,
}

impl FullBridges {
    /// A bridge was found full. `condition` is shown until it is no longer.
    pub(super) fn fill(&mut self, bridge: &Bridge, condition: Option<Owned>) {
        let full = self.0.entry(bridge.clone()).or_default();
        full.free = 0;
        full.condition = condition.or(full.condition.take());
    }

    /// Whether an instance of the link may try for a port. On a full bridge that takes one of those found free.
    pub(super) fn admit(&mut self, bridge: &Bridge) -> bool {
        match self.0.get_mut(bridge) {
            None => true,
            Some(full) => {
                let admitted = full.free > 0;
                full.free = full.free.saturating_sub(1);
                admitted
            }
        }
    }

    /// So many ports are free now, and so many instances wait for one: the bridge is full while there are fewer ports.
    pub(super) fn recount(&mut self, bridge: &Bridge, free: usize, waiting: usize) {
        if free > 0 && free >= waiting {
            self.forget(bridge);
        } else if let Some(full) = self.0.get_mut(bridge) {
            full.free = free;
        }
    }

    /// Nothing is known against the bridge any more.
    pub(super) fn forget(&mut self, bridge: &Bridge) {
        self.0.remove(bridge);
    }

    /// The full bridges of a host.
    pub(super) fn of_host(&self, host: &HostId) -> Vec<String> {
        let own = self.0.keys().filter(|(of, _)| of == host);
        own.map(|(_, bridge)| bridge.clone()).collect()
    }
}

/// Whether an instance has an attachment on this bridge.
fn is_on(instance: &Instance, (host, bridge): &Bridge) -> bool {
    let mut bridges = instance.attachments.iter().map(|attachment| &attachment.bridge);
    instance.host.as_ref() == Some(host) && bridges.any(|other| other == bridge)
}

/// The condition under which a full bridge is shown.
fn condition((host, bridge): &Bridge) -> String {
    match host.is_local() {
        true => format!("ports of {bridge}"),
        false => format!("ports of {bridge} on {host}"),
    }
}

impl Orchestrator {
    /// Whether the instance may take a new port of this bridge. On a full bridge that takes one of those found free.
    pub(super) fn may_take_port(&self, instance: &Instance, bridge: &str) -> bool {
        let host = instance.host.clone();
        host.is_none_or(|host| self.full_bridges().admit(&(host, bridge.to_owned())))
    }

    /// Says that a bridge is full, when that is what a failure means.
    pub(super) fn report_full_bridge(&self, instance: &Instance, fault: &HostError) {
        let HostError::Ensure(fault @ EnsureFault::NotWired { source, .. }) = fault else {
            return;
        };
        let (Some(bridge), Some(host)) = (fault.full_bridge(), &instance.host) else {
            return;
        };
        let bridge = (host.clone(), bridge.to_owned());
        let name = condition(&bridge);
        let owned = self.inner.conditions.own(&name);
        self.inner.conditions.set_waiting(&name, with_causes(source));
        self.full_bridges().fill(&bridge, Some(owned));
    }

    /// The bridges of a host whose ports are to be counted again.
    pub(super) fn full_bridges_of(&self, host: &HostId) -> Vec<String> {
        self.full_bridges().of_host(host)
    }

    /// Takes in how many ports a full bridge has by now, and lets instances try that wait for one. `free` is `None` when
    /// the bridge is gone.
    pub(super) async fn recount_ports(&self, bridge: &Bridge, free: Option<usize>, live: &[Instance]) {
        let Some(free) = free else {
            return self.full_bridges().forget(bridge);
        };
        let waits = |instance: &&Instance| {
            is_on(instance, bridge) && matches!(instance.phase, Phase::Pending | Phase::Starting)
        };
        let waiting = live.iter().filter(waits).count();
        self.full_bridges().recount(bridge, free, waiting);
        if free > 0
            && let Err(fault) = self.inner.records.hurry_link(&bridge.1).await
        {
            let error = &fault as &dyn std::error::Error;
            tracing::debug!(bridge = bridge.1, error, "what waits for a port waits on");
        }
    }

    /// Whether any bridge is full.
    pub(super) fn any_bridge_full(&self) -> bool {
        !self.full_bridges().0.is_empty()
    }

    fn full_bridges(&self) -> MutexGuard<'_, FullBridges> {
        // Nothing that holds the lock can panic half-way through a change.
        self.inner.full_bridges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orchestrator_runtime::conditions::Conditions;

    fn br0() -> Bridge {
        (HostId::local(), "br0".to_owned())
    }

    #[test]
    fn a_full_bridge_admits_as_many_as_have_become_free() {
        let mut bridges = FullBridges::default();
        assert!(bridges.admit(&br0()), "nothing is known against it");
        bridges.fill(&br0(), None);
        assert!(!bridges.admit(&br0()) && bridges.admit(&(HostId::local(), "br1".to_owned())));
        bridges.recount(&br0(), 2, 3);
        assert_eq!([(); 4].map(|()| bridges.admit(&br0())), [true, true, false, false]);
        bridges.recount(&br0(), 0, 0);
        assert!(!bridges.admit(&br0()), "nothing became free");
        bridges.recount(&br0(), 1, 1);
        assert!(bridges.admit(&br0()) && bridges.of_host(&HostId::local()).is_empty());
    }

    #[test]
    fn a_bridge_that_is_found_full_again_takes_back_what_it_admitted() {
        let mut bridges = FullBridges::default();
        bridges.fill(&br0(), None);
        bridges.recount(&br0(), 5, 9);
        bridges.fill(&br0(), None);
        assert!(!bridges.admit(&br0()));
    }

    #[test]
    fn its_condition_is_shown_for_as_long_as_it_is_full() {
        let (conditions, mut bridges) = (Conditions::default(), FullBridges::default());
        for _ in 0..2 {
            let owned = conditions.own("ports of br0");
            bridges.fill(&br0(), Some(owned));
        }
        bridges.recount(&br0(), 1, 2);
        assert!(!conditions.ready());
        bridges.recount(&br0(), 2, 2);
        assert!(conditions.ready() && conditions.list().is_empty());
    }
}
