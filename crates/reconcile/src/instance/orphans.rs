//! Instances that run and that the database does not know.
//!
//! Every instance is recorded before it is made. So one without a row was recorded in a database that was lost, or after
//! the copy that was restored. It is not removed: it is kept, listed, and adopted when its client asks for an instance.
//! Only an operator removes it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::Ipv6Addr;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use orchestrator_network::{AttachmentFound, NetworkError};
use orchestrator_plugin::{Capability, Container, EngineError, Found, FoundState};

use super::pass::by_instance;
use super::{Orchestrator, alias};
use orchestrator_model::{Client, InstanceId, Orphan, Slot};
use orchestrator_runtime::conditions::Owned;
use orchestrator_store::StoreError;

/// The condition under which orphans are shown while there are any.
const CONDITION: &str = "orphans";

/// How long the look at the start may take.
const LOOK_LIMIT: Duration = Duration::from_secs(3);

/// What every variable begins with that tells an instance of itself.
const PREFIX: &str = "ORCHESTRATOR_";

/// The orphans that were seen last.
#[derive(Debug, Default)]
pub(super) struct Orphans {
    /// By plugin; one that is not here was not asked yet.
    seen: BTreeMap<Arc<str>, BTreeMap<InstanceId, Orphan>>,
    /// Those that were removed or adopted. A look that began before may still find them as orphans.
    settled: HashSet<InstanceId>,
    condition: Option<Owned>,
}

impl Orphans {
    fn all(&self) -> impl Iterator<Item = &Orphan> {
        self.seen.values().flat_map(BTreeMap::values)
    }
}

impl Orchestrator {
    /// The orphans, by plugin and id.
    pub fn orphans(&self) -> Vec<Orphan> {
        self.lock_orphans().all().cloned().collect()
    }

    /// Removes an orphan, with all that was made for it. `None` when there is none of that id.
    ///
    /// # Errors
    ///
    /// When the engine could not remove it.
    pub async fn remove_orphan(&self, id: InstanceId) -> Result<Option<Orphan>, EngineError> {
        let found = self.lock_orphans().all().find(|orphan| orphan.id == id).cloned();
        let Some(orphan) = found else { return Ok(None) };
        if let Some(plugin) = self.inner.plugins.get(orphan.plugin.as_str()) {
            plugin.remove(&Container::main(id)).await?;
        }
        if let Err(fault) = self.remove_host_ends(id).await {
            tracing::warn!(instance = %id, error = &fault as &dyn std::error::Error, "could not remove its host ends");
        }
        tracing::info!(instance = %id, "an orphan was removed by an operator");
        self.inner.metrics.orphan_removed();
        self.forget_orphan(id);
        self.want_pass();
        Ok(Some(orphan))
    }

    /// [`look_for_orphans`](Self::look_for_orphans) for a short while, where a link provides instances.
    pub(super) async fn look_for_orphans_if_needed(&self) -> Result<(), StoreError> {
        let settings = self.settings();
        if !settings.links.iter().any(|link| settings.provides(link)) {
            return Ok(());
        }
        // An engine that hangs holds nobody up for longer; the pass asks again.
        tokio::time::timeout(LOOK_LIMIT, self.look_for_orphans())
            .await
            .unwrap_or(Ok(()))
    }

    /// Asks every engine that has not been asked yet, so that clients who ask first find their instances.
    pub(super) async fn look_for_orphans(&self) -> Result<(), StoreError> {
        for (name, plugin) in &self.inner.plugins {
            if self.lock_orphans().seen.contains_key(name) {
                continue;
            }
            match plugin.list().await {
                Ok(found) => {
                    let found = by_instance(found);
                    let ids: Vec<InstanceId> = found.keys().copied().collect();
                    let known = self.inner.store.known_instances(&ids).await?;
                    let known = known.into_keys().collect();
                    self.see_orphans(name, &found, &known).await;
                }
                Err(fault) => tracing::debug!(plugin = &**name, error = %fault, "could not look for orphans"),
            }
        }
        Ok(())
    }

    /// Takes down which of what an engine has is not `known` to the database.
    pub(super) async fn see_orphans(
        &self,
        plugin: &str,
        found: &HashMap<InstanceId, Found>,
        known: &HashSet<InstanceId>,
    ) {
        let mut seen = BTreeMap::new();
        for (id, found) in found.iter().filter(|(id, _)| !known.contains(*id)) {
            let before = self.lock_orphans().all().find(|orphan| orphan.id == *id).cloned();
            let orphan = match before {
                Some(before) => before,
                None => match self.describe(plugin, found).await {
                    Ok(orphan) => orphan,
                    Err(fault) => {
                        tracing::debug!(instance = %id, error = %fault, "could not ask what it was made for");
                        continue;
                    }
                },
            };
            let running = matches!(found.state, FoundState::Running(_));
            seen.insert(*id, Orphan { running, ..orphan });
        }
        {
            let mut orphans = self.lock_orphans();
            seen.retain(|id, _| !orphans.settled.contains(id));
            orphans.seen.insert(plugin.into(), seen);
        }
        self.show_orphans();
    }

    async fn describe(&self, plugin: &str, found: &Found) -> Result<Orphan, EngineError> {
        let facts = match self.inner.plugins.get(plugin) {
            Some(engine) if engine.capabilities().has(Capability::Environment) => {
                let facts = engine.environment(&found.container(), PREFIX).await?;
                facts.unwrap_or_default()
            }
            _ => BTreeMap::new(),
        };
        let fact = |name: &str| facts.get(&format!("{PREFIX}{name}")).map(String::as_str);
        tracing::warn!(
            instance = %found.key.instance,
            plugin,
            reference = found.reference,
            "the database does not know this instance; it is kept for its client"
        );
        Ok(Orphan {
            id: found.key.instance,
            plugin: plugin.to_owned(),
            reference: found.reference.clone(),
            running: false,
            link: fact("LINK").map(str::to_owned),
            duid: fact("CLIENT_DUID").and_then(|duid| duid.parse().ok()),
            address: fact("ADDRESS").and_then(|address| address.parse().ok()),
            slot: fact("SLOT").map(Slot::new),
        })
    }

    /// Removes the interfaces on this host that carry the mark of an instance.
    async fn remove_host_ends(&self, id: InstanceId) -> Result<(), NetworkError> {
        for found in self.host_ends(id).await? {
            let removed = self
                .inner
                .network
                .remove_attachment(&found.host_interface, &found.alias);
            removed.await?;
        }
        Ok(())
    }

    /// The interfaces on this host that carry the mark of an instance.
    pub(super) async fn host_ends(&self, id: InstanceId) -> Result<Vec<AttachmentFound>, NetworkError> {
        self.inner.network.attachments(&alias(self.inner.mark, id)).await
    }

    /// The orphan that was made for a slot of a client; one that runs before one that does not.
    pub(super) fn orphan_of(&self, client: &Client, slot: &Slot, plugin: &str) -> Option<(InstanceId, Ipv6Addr)> {
        let orphans = self.lock_orphans();
        let own = orphans.all().filter(|orphan| {
            orphan.plugin == plugin
                && orphan.link.as_deref() == Some(client.link.as_str())
                && orphan.duid.as_ref() == Some(&client.duid)
                && orphan.slot.as_ref().is_none_or(|made_for| made_for == slot)
        });
        let chosen = own.min_by_key(|orphan| (!orphan.running, orphan.id))?;
        Some((chosen.id, chosen.address?))
    }

    /// The addresses that orphans of a link have.
    pub(super) fn orphan_addresses(&self, link: &str) -> HashSet<Ipv6Addr> {
        let orphans = self.lock_orphans();
        let own = orphans.all().filter(|orphan| orphan.link.as_deref() == Some(link));
        own.filter_map(|orphan| orphan.address).collect()
    }

    /// It belongs to somebody, or is gone.
    pub(super) fn forget_orphan(&self, id: InstanceId) {
        {
            let mut orphans = self.lock_orphans();
            orphans.settled.insert(id);
            orphans.seen.values_mut().for_each(|seen| {
                seen.remove(&id);
            });
        }
        self.show_orphans();
    }

    fn show_orphans(&self) {
        let mut orphans = self.lock_orphans();
        let count = orphans.all().count();
        if count == 0 {
            orphans.condition = None;
            return;
        }
        let reason = format!(
            "{count} instances are there that the database does not know; each is adopted when its client comes back; \
             `orchestrator ls orphans` lists them, `orchestrator rm --orphans` removes them"
        );
        self.inner.conditions.set_wrong(CONDITION, reason);
        if orphans.condition.is_none() {
            orphans.condition = Some(self.inner.conditions.own(CONDITION));
        }
    }

    fn lock_orphans(&self) -> MutexGuard<'_, Orphans> {
        // Nothing that holds the lock can panic half-way through a change.
        self.inner.orphans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
