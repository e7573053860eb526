//! Bridges that have no port left, and who may try when one is free again.
//!
//! An instance that finds its bridge full is not started, and the daemon is not ready while one waits. The pass counts
//! the ports that became free, and lets as many instances try.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};

use orchestrator_network::{AttachmentPlan, NetworkError};

use super::{Orchestrator, alias_prefix};
use orchestrator_model::{Instance, InstanceId, Phase};
use orchestrator_runtime::conditions::Owned;

/// The links whose bridges are full.
#[derive(Debug, Default)]
pub(super) struct FullBridges(HashMap<String, Full>);

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
    pub(super) fn fill(&mut self, link: &str, condition: Option<Owned>) {
        let full = self.0.entry(link.to_owned()).or_default();
        full.free = 0;
        full.condition = condition.or(full.condition.take());
    }

    /// Whether an instance of the link may try for a port. On a full bridge that takes one of those found free.
    pub(super) fn admit(&mut self, link: &str) -> bool {
        match self.0.get_mut(link) {
            None => true,
            Some(full) => {
                let admitted = full.free > 0;
                full.free = full.free.saturating_sub(1);
                admitted
            }
        }
    }

    /// So many ports are free now, and so many instances wait for one: the bridge is full while there are fewer ports.
    pub(super) fn recount(&mut self, link: &str, free: usize, waiting: usize) {
        if free > 0 && free >= waiting {
            self.forget(link);
        } else if let Some(full) = self.0.get_mut(link) {
            full.free = free;
        }
    }

    /// Nothing is known against the bridge any more.
    pub(super) fn forget(&mut self, link: &str) {
        self.0.remove(link);
    }

    /// The links whose bridges are full.
    pub(super) fn links(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

/// Whether an instance has an attachment on this network.
fn is_on(instance: &Instance, network: &str) -> bool {
    let mut networks = instance
        .attachments
        .iter()
        .map(|attachment| attachment.network.as_str());
    networks.any(|name| name == network)
}

/// The condition under which a full bridge is shown.
fn condition(link: &str) -> String {
    format!("ports of {link}")
}

impl Orchestrator {
    /// Whether the instance can have a port: its bridge is there, and not known to be full.
    ///
    /// # Errors
    ///
    /// [`BridgeMissing`](NetworkError::BridgeMissing), [`BridgeFull`](NetworkError::BridgeFull) and what the kernel
    /// says otherwise.
    pub(super) async fn check_port(&self, plan: &AttachmentPlan) -> Result<(), NetworkError> {
        let bridge = || plan.bridge.clone();
        if self.inner.network.find_bridge(&plan.bridge).await?.is_none() {
            return Err(NetworkError::BridgeMissing { bridge: bridge() });
        }
        let admitted = self.full_bridges().admit(&plan.bridge);
        if admitted || self.has_port(plan).await? {
            return Ok(());
        }
        Err(NetworkError::BridgeFull { bridge: bridge() })
    }

    /// Whether the attachment is on its bridge already.
    async fn has_port(&self, plan: &AttachmentPlan) -> Result<bool, NetworkError> {
        let mark = alias_prefix(self.inner.mark);
        let found = self.inner.network.find_attachment(&plan.host_interface, &mark).await?;
        Ok(found.is_some_and(|found| found.bridge.as_ref() == Some(&plan.bridge)))
    }

    /// Says that a bridge is full, when that is what a failure means.
    pub(super) fn report_full_bridge(&self, link: &str, fault: &NetworkError) {
        if matches!(fault, NetworkError::BridgeFull { .. }) {
            let name = condition(link);
            let owned = self.inner.conditions.own(&name);
            self.inner.conditions.set_waiting(&name, fault.to_string());
            self.full_bridges().fill(link, Some(owned));
        }
    }

    /// Counts the ports of full bridges again, and lets instances try that wait for one.
    pub(super) async fn recount_ports(&self, live: &HashMap<InstanceId, Instance>) {
        let full = self.full_bridges().links();
        for link in full {
            let waits = |instance: &&Instance| {
                is_on(instance, &link) && matches!(instance.phase, Phase::Pending | Phase::Starting)
            };
            let waiting = live.values().filter(waits).count();
            let free = match self.inner.network.free_ports(&link).await {
                Ok(free) => free,
                Err(NetworkError::BridgeMissing { .. } | NetworkError::NotABridge { .. }) => {
                    self.full_bridges().forget(&link);
                    continue;
                }
                Err(fault) => {
                    tracing::debug!(link, error = &fault as &dyn std::error::Error, "could not count ports");
                    continue;
                }
            };
            self.full_bridges().recount(&link, free, waiting);
            if free > 0
                && let Err(fault) = self.inner.store.hurry_link(&link).await
            {
                tracing::debug!(
                    link,
                    error = &fault as &dyn std::error::Error,
                    "what waits for a port waits on"
                );
            }
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

    #[test]
    fn a_full_bridge_admits_as_many_as_have_become_free() {
        let mut bridges = FullBridges::default();
        assert!(bridges.admit("br0"), "nothing is known against it");
        bridges.fill("br0", None);
        assert!(!bridges.admit("br0") && bridges.admit("br1"));
        bridges.recount("br0", 2, 3);
        assert_eq!([(); 4].map(|()| bridges.admit("br0")), [true, true, false, false]);
        bridges.recount("br0", 0, 0);
        assert!(!bridges.admit("br0"), "nothing became free");
        bridges.recount("br0", 1, 1);
        assert!(bridges.admit("br0") && bridges.links().is_empty());
    }

    #[test]
    fn a_bridge_that_is_found_full_again_takes_back_what_it_admitted() {
        let mut bridges = FullBridges::default();
        bridges.fill("br0", None);
        bridges.recount("br0", 5, 9);
        bridges.fill("br0", None);
        assert!(!bridges.admit("br0"));
    }

    #[test]
    fn its_condition_is_shown_for_as_long_as_it_is_full() {
        let (conditions, mut bridges) = (Conditions::default(), FullBridges::default());
        for _ in 0..2 {
            let owned = conditions.own("ports of br0");
            bridges.fill("br0", Some(owned));
        }
        bridges.recount("br0", 1, 2);
        assert!(!conditions.ready());
        bridges.recount("br0", 2, 2);
        assert!(conditions.ready() && conditions.list().is_empty());
    }
}
