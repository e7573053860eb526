//! Routers: the parts of the daemon that lead names and connections to endpoints.
//!
//! A service's instance is drained in an order that this room makes visible: no router may lead to it any more before its
//! connections are waited for, and none of those may be left before it is stopped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use orchestrator_model::InstanceId;
use tokio::sync::watch;

/// All routers of the daemon. A cheap handle: all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Routers {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    routers: Mutex<BTreeMap<&'static str, Applied>>,
    changes: watch::Sender<()>,
}

/// What one router has put in force.
#[derive(Debug, Default)]
struct Applied {
    /// The number of the snapshot.
    index: u64,
    /// The connections to instances that are draining; `None` while nobody counts them.
    connections: Option<BTreeMap<InstanceId, u64>>,
}

/// The name of the router that leads HTTP by name.
pub const BALANCER: &str = "balancer";
/// The name of the router that leads connections to virtual addresses.
pub const VIRTUAL_ADDRESSES: &str = "virtual-addresses";

impl Routers {
    /// A router of this name. Until it says which snapshot is in force, nothing counts as routed. When it is dropped,
    /// nobody waits for it any more.
    pub fn register(&self, name: &'static str) -> Router {
        self.lock().insert(name, Applied::default());
        self.shared.changes.send_replace(());
        Router {
            routers: self.clone(),
            name,
        }
    }

    /// The highest snapshot that every router has put in force, by its number; [`u64::MAX`] where there is no router.
    pub fn applied(&self) -> u64 {
        self.lock()
            .values()
            .map(|router| router.index)
            .min()
            .unwrap_or(u64::MAX)
    }

    /// The routers that have not put this snapshot in force yet.
    pub fn behind(&self, index: u64) -> Vec<&'static str> {
        let routers = self.lock();
        let behind = routers.iter().filter(|(_, router)| router.index < index);
        behind.map(|(name, _)| *name).collect()
    }

    /// The connections to an instance that routers know of.
    pub fn connections(&self, instance: InstanceId) -> u64 {
        let routers = self.lock();
        let of = |router: &Applied| router.connections.as_ref()?.get(&instance).copied();
        let of = |router: &Applied| of(router).unwrap_or_default();
        routers.values().map(of).sum()
    }

    /// Whether a router counts the connections to instances that are draining.
    pub fn counts(&self, name: &str) -> bool {
        self.lock().get(name).is_some_and(|router| router.connections.is_some())
    }

    /// Notifies of every change.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.shared.changes.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Applied>> {
        // Nothing that holds the lock can panic half-way through a change.
        self.shared.routers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, name: &'static str, change: impl FnOnce(&mut Applied)) {
        if let Some(applied) = self.lock().get_mut(name) {
            change(applied);
        }
        self.shared.changes.send_replace(());
    }
}

/// One router.
#[derive(Debug)]
pub struct Router {
    routers: Routers,
    name: &'static str,
}

impl Router {
    /// The snapshot with this number is in force, and none before it.
    pub fn applied(&self, index: u64) {
        self.routers.change(self.name, |applied| applied.index = index);
    }

    /// The connections to instances that are draining, as counted now. An instance that is not named has none.
    pub fn connections(&self, connections: BTreeMap<InstanceId, u64>) {
        self.routers
            .change(self.name, |applied| applied.connections = Some(connections));
    }

    /// Nothing is led anywhere by this router now: it counts no connections.
    pub fn counts_none(&self) {
        self.routers.change(self.name, |applied| applied.connections = None);
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.routers.lock().remove(self.name);
        self.routers.shared.changes.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_model::Id;

    use super::*;

    #[test]
    fn a_snapshot_is_in_force_when_the_last_router_has_it() {
        let routers = Routers::default();
        assert_eq!(routers.applied(), u64::MAX);
        let (dns, balancer) = (routers.register("dns"), routers.register("balancer"));
        dns.applied(7);
        assert_eq!(routers.applied(), 0);
        assert_eq!(routers.behind(7), ["balancer"]);
        balancer.applied(5);
        assert_eq!(routers.applied(), 5);
        drop(balancer);
        assert_eq!(routers.applied(), 7);
        assert!(routers.behind(7).is_empty());
    }

    #[test]
    fn connections_are_added_up_and_forgotten_with_their_router() {
        let routers = Routers::default();
        let (one, other) = (Id::from_bytes([1; 6]), Id::from_bytes([2; 6]));
        let (first, second) = (routers.register("balancer"), routers.register("filter"));
        first.connections([(one, 2)].into());
        second.connections([(one, 3), (other, 1)].into());
        assert_eq!((routers.connections(one), routers.connections(other)), (5, 1));
        first.connections(BTreeMap::new());
        assert_eq!(routers.connections(one), 3);
        assert!(routers.counts("balancer"));
        first.counts_none();
        assert!(!routers.counts("balancer") && routers.counts("filter"));
        drop(second);
        assert_eq!(routers.connections(one), 0);
    }

    #[tokio::test]
    async fn every_change_is_notified() {
        let routers = Routers::default();
        let mut changes = routers.changes();
        let router = routers.register("dns");
        changes.changed().await.unwrap();
        router.applied(1);
        changes.changed().await.unwrap();
        drop(router);
        changes.changed().await.unwrap();
    }
}
