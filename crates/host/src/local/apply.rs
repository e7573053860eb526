//! Brings a part of the host's networks to what it is to be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::LocalHost;
use crate::{Applied, Cause, HostCapability, HostError, NetworkChange, NetworkItem, NetworkKey, NetworkPart};

/// What one part of the host's networks was brought to.
#[derive(Debug, Default)]
pub(super) struct State {
    generation: Option<u64>,
    items: BTreeMap<NetworkKey, NetworkItem>,
}

/// A part that is being changed, with the first failure.
struct Change<'s> {
    state: &'s mut State,
    failed: Option<HostError>,
}

impl LocalHost {
    pub(super) async fn apply_change(
        &self,
        part: &NetworkPart,
        from: u64,
        to: u64,
        change: &NetworkChange,
    ) -> Result<Applied, HostError> {
        let state = self.parts().entry(part.clone()).or_default().clone();
        // One change after another: a second one begins at what the first has come to.
        let mut state = state.lock().await;
        let (set, mut remove) = match change {
            NetworkChange::Difference { .. } if state.generation != Some(from) => {
                return Ok(Applied::NeedsWhole { at: state.generation });
            }
            NetworkChange::Difference { set, remove } => (set.clone(), remove.clone()),
            NetworkChange::Whole(items) => (items.clone(), Vec::new()),
        };
        // A change that failed half-way is at no generation. Then only the whole is accepted.
        state.generation = None;
        let mut change_of = Change {
            state: &mut state,
            failed: None,
        };
        let wanted: BTreeSet<NetworkKey> = set.iter().map(NetworkItem::key).collect();
        let missing = match (change, part) {
            (NetworkChange::Whole(_), NetworkPart::Routes) => self.compare_routes(&set, &mut remove).await,
            (NetworkChange::Whole(_), _) => {
                remove.extend(
                    change_of
                        .state
                        .items
                        .keys()
                        .filter(|key| !wanted.contains(key))
                        .cloned(),
                );
                Ok(set)
            }
            (NetworkChange::Difference { .. }, _) => Ok(set),
        };
        let missing = missing.map_err(|source| self.not_applied(part, source))?;
        if matches!(change, NetworkChange::Whole(_)) && *part == NetworkPart::Routes {
            // What is there and right is not made again.
            change_of.keep(change);
        }
        // What is new comes first: it may replace something, which is then never missing in between.
        self.set_all(missing, &mut change_of).await;
        self.remove_all_of(remove, &wanted, &mut change_of).await;
        if let Some(failed) = change_of.failed {
            return Err(failed);
        }
        state.generation = Some(to);
        Ok(Applied::Done)
    }

    async fn set_all(&self, set: Vec<NetworkItem>, change: &mut Change<'_>) {
        for item in set {
            match self.set_item(&item).await {
                Ok(()) => drop(change.state.items.insert(item.key(), item)),
                Err(source) => change.fail(self.not_applied(item.key(), source)),
            }
        }
    }

    async fn remove_all_of(&self, remove: Vec<NetworkKey>, wanted: &BTreeSet<NetworkKey>, change: &mut Change<'_>) {
        for key in remove {
            let known = change.state.items.get(&key).cloned();
            match self.remove_item(&key, known.as_ref(), wanted.contains(&key)).await {
                Ok(()) if wanted.contains(&key) => {}
                Ok(()) => drop(change.state.items.remove(&key)),
                Err(source) => change.fail(self.not_applied(key, source)),
            }
        }
    }

    async fn set_item(&self, item: &NetworkItem) -> Result<(), Cause> {
        match item {
            NetworkItem::Bridge(bridge) => self.set_bridge(bridge).await,
            NetworkItem::Route(route) => self.set_route(route).await,
            NetworkItem::Policy(_) => Err(self.unsupported(HostCapability::Policy)),
        }
    }

    /// Removes one thing. What is `wanted` under the same key stays, and only others under it are removed.
    async fn remove_item(&self, key: &NetworkKey, known: Option<&NetworkItem>, wanted: bool) -> Result<(), Cause> {
        match key {
            NetworkKey::Bridge(name) => self.drop_bridge(name).await,
            NetworkKey::Route(prefix) | NetworkKey::Unreachable(prefix) => {
                let known = known.and_then(|item| match item {
                    NetworkItem::Route(route) => Some(route),
                    _ => None,
                });
                self.drop_route(*prefix, key, known, wanted).await
            }
            NetworkKey::Policy(_) => Ok(()),
        }
    }

    fn not_applied(&self, subject: impl fmt::Display, source: Cause) -> HostError {
        HostError::Apply {
            host: self.inner.name.clone(),
            subject: subject.to_string(),
            source,
        }
    }
}

impl Change<'_> {
    fn fail(&mut self, fault: HostError) {
        self.failed.get_or_insert(fault);
    }

    /// Records the whole as what is there.
    fn keep(&mut self, change: &NetworkChange) {
        if let NetworkChange::Whole(items) = change {
            self.state.items = items.iter().map(|item| (item.key(), item.clone())).collect();
        }
    }
}
