//! Finds containers by reference, by name and by mark, in one step each.

use std::collections::HashMap;
use std::sync::Arc;

use orchestrator_plugin::{Container, ContainerKey, SiteId};

use super::Entry;

/// All containers.
#[derive(Debug, Default)]
pub(super) struct Index {
    by_reference: HashMap<String, Arc<Entry>>,
    by_name: HashMap<String, String>,
    by_key: HashMap<(SiteId, ContainerKey), Vec<Arc<Entry>>>,
}

impl Index {
    pub(super) fn insert(&mut self, entry: Arc<Entry>) {
        let record = entry.record();
        self.by_name.insert(record.name.clone(), entry.reference.clone());
        if let Some(owner) = &record.owner {
            self.by_key
                .entry((owner.site, owner.key()))
                .or_default()
                .push(entry.clone());
        }
        self.by_reference.insert(entry.reference.clone(), entry);
    }

    pub(super) fn remove(&mut self, entry: &Entry) {
        let record = entry.record();
        self.by_reference.remove(&entry.reference);
        if self.by_name.get(&record.name) == Some(&entry.reference) {
            self.by_name.remove(&record.name);
        }
        let Some(owner) = &record.owner else { return };
        let key = (owner.site, owner.key());
        if let Some(entries) = self.by_key.get_mut(&key) {
            entries.retain(|other| other.reference != entry.reference);
            if entries.is_empty() {
                self.by_key.remove(&key);
            }
        }
    }

    pub(super) fn by_reference(&self, reference: &str) -> Option<Arc<Entry>> {
        self.by_reference.get(reference).cloned()
    }

    /// Whether a container has this name.
    pub(super) fn has_name(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// All that a caller of this site may mean, the likeliest first: the one with the name that we gave it, then the
    /// oldest. There are several only when somebody copied ours.
    pub(super) fn meant(&self, site: SiteId, container: &Container) -> Vec<Arc<Entry>> {
        let entries = self.by_key.get(&(site, container.key.clone())).into_iter().flatten();
        let mut meant: Vec<_> = entries
            .filter(|entry| entry.record().is_meant(site, container, &entry.reference))
            .cloned()
            .collect();
        let name = container.key.engine_name();
        meant.sort_by_key(|entry| {
            let record = entry.record();
            (record.name != name, record.created)
        });
        meant
    }

    /// All, the oldest first.
    pub(super) fn all(&self) -> Vec<Arc<Entry>> {
        let mut all: Vec<_> = self.by_reference.values().cloned().collect();
        all.sort_by_key(|entry| entry.record().created);
        all
    }

    /// All of a site, the oldest first.
    pub(super) fn of_site(&self, site: SiteId) -> Vec<Arc<Entry>> {
        let of_site = |entry: &Arc<Entry>| entry.record().owner.as_ref().is_some_and(|owner| owner.site == site);
        let mut all = self.all();
        all.retain(|entry| of_site(entry));
        all
    }
}
