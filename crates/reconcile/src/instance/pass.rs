//! The full pass: compares all that is recorded with all that is there.
//!
//! It removes what carries our mark and belongs to an instance that was removed, and wakes the worker of every slot whose
//! instance is not as it should be. The steps themselves are the workers'.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_network::AttachmentFound;
use orchestrator_plugin::{Container, Found, FoundState};

use super::look::is_on;
use super::{Orchestrator, alias_prefix};
use orchestrator_model::{Attachment, Instance, InstanceId, Phase, Slot, SlotKey};
use orchestrator_settings::Settings;
use orchestrator_store::{StoreError, Wanting};

/// A pass is made at least this often, whatever wakes were lost.
const PERIOD: Duration = Duration::from_secs(30);

/// All that carries our mark, seen at one moment.
struct World {
    /// What each engine has, by plugin; an engine that did not answer is not in it.
    engines: HashMap<Arc<str>, HashMap<InstanceId, Found>>,
    /// Host ends by name; `None` when the kernel did not answer.
    attachments: Option<HashMap<String, AttachmentFound>>,
}

impl Orchestrator {
    /// Asks for a pass soon: anything may have happened.
    pub(super) fn want_pass(&self) {
        self.inner.pass_wanted.notify_one();
    }

    pub(super) async fn pass_for_ever(self) {
        let stop = self.inner.stop.clone();
        let mut settings = self.inner.settings.clone();
        loop {
            if let Err(fault) = self.pass().await {
                tracing::warn!(
                    error = &fault as &dyn std::error::Error,
                    "the store did not answer: no full pass"
                );
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PERIOD) => {}
                () = self.inner.pass_wanted.notified() => {}
                // Links and templates may have come and gone.
                _ = settings.changed() => {}
            }
        }
    }

    async fn pass(&self) -> Result<(), StoreError> {
        // The world first, then the store: what is recorded before it is made cannot look as if it belonged to nobody.
        let world = self.see_world().await;
        let live: HashMap<InstanceId, Instance> = self
            .inner
            .store
            .live_instances()
            .await?
            .into_iter()
            .map(|instance| (instance.id, instance))
            .collect();
        self.remove_leftovers(&world, &live).await?;
        self.recount_ports(&live).await;
        self.reconcile_checks(&world, &live);
        let settings = self.settings();
        let providing = providing(&settings);
        self.watch_engines(!providing.is_empty() || !live.is_empty());
        // From here on every commit that matters rings; what was committed before is looked up below.
        self.inner.notifications.mute(silent(&settings, &providing, &live));
        let (settled, unsettled): (Vec<&Instance>, Vec<&Instance>) = live
            .values()
            .partition(|instance| self.is_as_it_should_be(&world, instance) && self.is_kept(&settings, instance));
        unsettled.into_iter().for_each(|instance| self.wake(instance.key()));
        let settled: HashSet<SlotKey> = settled.into_iter().map(Instance::key).collect();
        for link in providing {
            for Wanting { client, class } in self.inner.store.wanting(link).await? {
                let mut wanted = settings.templates_of(link, class.as_deref()).map(|(name, _)| name);
                let is_settled = |template| settled.contains(&SlotKey::new(client, Slot::new(template)));
                if !wanted.all(is_settled) {
                    self.inner.notifications.notify(client);
                }
            }
        }
        let others = self.inner.wants.iter().flat_map(|wants| wants.owners(&settings));
        others.for_each(|owner| self.inner.notifications.notify(owner));
        Ok(())
    }

    /// Whether an instance that is as it should be stays, as far as the settings say: on a link that is no longer in
    /// them it does while leases last.
    fn is_kept(&self, settings: &Settings, instance: &Instance) -> bool {
        let link = instance.link();
        instance.client().is_some()
            && (settings.link(link).is_none() || settings.templates_of(link, None).next().is_some())
    }

    /// Checks every instance that is ready, and no other: also those that an earlier daemon made, by the settings of now.
    fn reconcile_checks(&self, world: &World, live: &HashMap<InstanceId, Instance>) {
        let ready = live.values().filter(|instance| instance.phase == Phase::Ready);
        let subjects = ready.map(|instance| {
            let netns = world.netns(instance);
            (instance.id, self.subject(instance, netns))
        });
        self.inner
            .checks
            .reconcile(&live.keys().copied().collect(), subjects.collect());
    }

    /// Whether the instance is ready, runs, and is wired: then its worker need not look.
    fn is_as_it_should_be(&self, world: &World, instance: &Instance) -> bool {
        let is_wired = |attachment: &Attachment| {
            let found = world
                .attachments
                .as_ref()
                .and_then(|found| found.get(&attachment.host_end()));
            found.is_some_and(|found| is_on(found, &attachment.network) && found.isolated == attachment.isolated)
        };
        instance.phase == Phase::Ready
            && world.netns(instance).is_some()
            && instance
                .attachments
                .iter()
                .filter(|attachment| attachment.address.is_some())
                .all(is_wired)
    }

    async fn see_world(&self) -> World {
        let mut engines = HashMap::new();
        let watched: HashSet<_> = self.watched().keys().cloned().collect();
        for (name, plugin) in self.inner.plugins.iter().filter(|(name, _)| watched.contains(*name)) {
            match plugin.list().await {
                Ok(found) => {
                    engines.insert(name.clone(), by_instance(found));
                }
                Err(fault) => tracing::debug!(plugin = &**name, error = %fault, "could not list"),
            }
        }
        let attachments = match self.inner.network.attachments(&alias_prefix(self.inner.mark)).await {
            Ok(found) => Some(
                found
                    .into_iter()
                    .map(|found| (found.host_interface.clone(), found))
                    .collect(),
            ),
            Err(fault) => {
                tracing::warn!(error = &fault as &dyn std::error::Error, "could not list attachments");
                None
            }
        };
        World { engines, attachments }
    }

    /// Removes what was made for an instance that is to be gone. A copy that somebody made of it is left alone.
    async fn remove_leftover(&self, engine: &str, id: InstanceId, reference: Option<String>) {
        let Some(plugin) = self.inner.plugins.get(engine) else {
            return;
        };
        let container = Container {
            reference,
            ..Container::main(id)
        };
        if !matches!(plugin.find(&container).await, Ok(Some(_))) {
            return;
        }
        tracing::warn!(instance = %id, plugin = engine, "belongs to an instance that was removed: removing");
        self.inner.metrics.orphan_removed();
        if let Err(fault) = plugin.remove(&container).await {
            tracing::warn!(instance = %id, error = &fault as &dyn std::error::Error, "could not remove");
        }
    }

    /// Removes what belongs to an instance that the database knows and that is to be gone. What the database never knew
    /// is kept ([`orphans`](super::orphans)).
    async fn remove_leftovers(&self, world: &World, live: &HashMap<InstanceId, Instance>) -> Result<(), StoreError> {
        for (name, found) in &world.engines {
            let others: Vec<InstanceId> = found.keys().filter(|id| !live.contains_key(*id)).copied().collect();
            let known = self.inner.store.known_instances(&others).await?;
            for (id, reference) in &known {
                self.remove_leftover(name, *id, reference.clone()).await;
            }
            let known = known.into_keys().chain(live.keys().copied()).collect();
            self.see_orphans(name, found, &known).await;
        }
        let wired: HashSet<String> = live
            .values()
            .flat_map(|instance| instance.attachments.iter().map(Attachment::host_end))
            .collect();
        let found = world.attachments.iter().flat_map(HashMap::values);
        let others: Vec<_> = found
            .filter(|found| !wired.contains(&found.host_interface))
            .map(|found| (&found.host_interface, self.owner(&found.alias)))
            .collect();
        let ids: Vec<InstanceId> = others.iter().filter_map(|(_, id)| *id).collect();
        let known = self.inner.store.known_instances(&ids).await?;
        let gone = others
            .iter()
            .filter(|(_, id)| id.is_none_or(|id| known.contains_key(&id)));
        for (name, _) in gone {
            tracing::warn!(interface = name, "belongs to nobody: removing");
            self.inner.metrics.orphan_removed();
            let prefix = alias_prefix(self.inner.mark);
            if let Err(fault) = self.inner.network.remove_attachment(name, &prefix).await {
                tracing::warn!(
                    interface = name,
                    error = &fault as &dyn std::error::Error,
                    "could not remove"
                );
            }
        }
        Ok(())
    }
}

/// The links whose clients get instances.
fn providing(settings: &Settings) -> Vec<&str> {
    let links = settings.links.iter().filter(|link| settings.provides(link));
    links.map(|link| link.name.as_str()).collect()
}

/// The links whose clients neither have instances nor get any.
fn silent(settings: &Settings, providing: &[&str], live: &HashMap<InstanceId, Instance>) -> HashSet<String> {
    let links = settings.links.iter().map(|link| link.name.as_str());
    let idle = |link: &&str| !providing.contains(link) && live.values().all(|instance| instance.link() != *link);
    links.filter(idle).map(str::to_owned).collect()
}

/// The first container of each instance; of several that bear its mark, the oldest.
pub(super) fn by_instance(found: Vec<Found>) -> HashMap<InstanceId, Found> {
    let mut first = HashMap::new();
    for found in found.into_iter().filter(|found| found.key.name.is_main()) {
        first.entry(found.key.instance).or_insert(found);
    }
    first
}

impl World {
    fn found(&self, instance: &Instance) -> Option<&Found> {
        self.engines.get(instance.engine())?.get(&instance.id)
    }

    /// The network namespace of an instance that runs.
    fn netns(&self, instance: &Instance) -> Option<&Path> {
        match &self.found(instance)?.state {
            FoundState::Running(running) => running.netns(),
            FoundState::Created | FoundState::Paused(_) | FoundState::Exited { .. } => None,
        }
    }
}
