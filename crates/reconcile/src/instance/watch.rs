//! Watches hosts for what happens behind our back.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_host::{Host, HostChange, HostError, WatchScope};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Orchestrator;
use orchestrator_model::{HostId, InstanceId, Phase};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::Owned;

/// The wait before a host is watched again whose watch broke.
const PAUSE: Duration = Duration::from_millis(500);
/// Changes that may queue; beyond it the watch itself waits.
const QUEUE: usize = 1024;

impl Orchestrator {
    /// Watches the engines of every host while they are needed.
    pub(super) fn watch_engines(&self, needed: bool) {
        let mut watched = self.watched();
        if !needed {
            // Each takes itself off the list when it has ended.
            return watched.values().for_each(CancellationToken::cancel);
        }
        for (id, host) in &self.inner.hosts {
            watched.entry(id.clone()).or_insert_with(|| {
                let engines = host.capabilities().engines.into_keys();
                let owned = engines
                    .map(|engine| self.inner.conditions.own(&condition(id, &engine)))
                    .collect();
                let stop = self.inner.stop.child_token();
                let watch = self
                    .clone()
                    .watch_engines_of(id.clone(), host.clone(), owned, stop.clone());
                self.spawn(watch);
                stop
            });
        }
    }

    async fn watch_engines_of(self, id: HostId, host: Arc<dyn Host>, owned: Vec<Owned>, stop: CancellationToken) {
        stop.run_until_cancelled(self.watch_host(&id, host.as_ref(), WatchScope::Engines))
            .await;
        let mut watched = self.watched();
        drop(owned);
        watched.remove(&id);
        // It may be needed again since.
        self.want_pass();
    }

    /// Watches the networks of every host until the daemon stops.
    pub(super) fn watch_networks(&self) {
        for (id, host) in &self.inner.hosts {
            let (orchestrator, id, host) = (self.clone(), id.clone(), host.clone());
            self.spawn(async move { orchestrator.watch_host(&id, host.as_ref(), WatchScope::Networks).await });
        }
    }

    /// Takes in what a host reports, for ever.
    async fn watch_host(&self, id: &HostId, host: &dyn Host, scope: WatchScope) {
        loop {
            let (sender, mut changes) = mpsc::channel(QUEUE);
            let receive = async {
                while let Some(change) = changes.recv().await {
                    self.host_changed(id, change).await;
                }
            };
            // When the watch has ended, what it had reported is still taken in.
            let (fault, ()) = tokio::join!(host.watch(scope, sender), receive);
            tracing::warn!(host = %id, error = &fault as &dyn Error, "not watched any more; watching again");
            if scope == WatchScope::Engines {
                self.lost_engines(id, host, &fault);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Nothing is known of the engines of a host that is not watched.
    fn lost_engines(&self, id: &HostId, host: &dyn Host, fault: &HostError) {
        for engine in host.capabilities().engines.into_keys() {
            self.inner.metrics.engine_lost();
            self.inner
                .conditions
                .set_waiting(&condition(id, &engine), with_causes(fault));
        }
    }

    async fn host_changed(&self, id: &HostId, change: HostChange) {
        let conditions = &self.inner.conditions;
        match change {
            HostChange::Instance(instance) => self.wake_owner(instance).await,
            HostChange::EngineUp { engine, facts } => {
                tracing::info!(engine = facts.name, version = facts.version, "watching");
                conditions.set_ok(&condition(id, &engine));
                self.engine_is_back(&engine).await;
            }
            HostChange::EngineAnswers { engine } => conditions.set_ok(&condition(id, &engine)),
            HostChange::EngineDown { engine, reason } => {
                self.inner.metrics.engine_lost();
                conditions.set_waiting(&condition(id, &engine), reason);
            }
            HostChange::EngineFails { engine, reason, hangs } => {
                if hangs {
                    self.inner.metrics.engine_hung();
                }
                conditions.set_waiting(&condition(id, &engine), reason);
            }
            HostChange::Networks => self.want_pass(),
            HostChange::BridgeUp { name } => self.bridge_is_back(&name).await,
            HostChange::PortFreed if self.any_bridge_full() => self.want_pass(),
            // Others watch these.
            HostChange::PortFreed | HostChange::Interfaces | HostChange::Routes | HostChange::RouteGone(_) => {}
        }
    }

    /// The engine answers (again): whatever waited for it is due now.
    async fn engine_is_back(&self, engine: &str) {
        if let Err(fault) = self.inner.records.hurry_instances(engine).await {
            tracing::debug!(error = &fault as &dyn Error, "what waited for the engine waits on");
        }
        self.want_pass();
    }

    /// The bridge is up (again): whatever waited for it is due now.
    async fn bridge_is_back(&self, network: &str) {
        if let Err(fault) = self.inner.records.hurry_link(network).await {
            tracing::debug!(error = &fault as &dyn Error, "what waits for the bridge waits on");
        }
        self.want_pass();
    }

    async fn wake_owner(&self, id: InstanceId) {
        match self.inner.records.recorded_instance(id).await {
            // Not ours to keep: the pass removes it. It may have been created after its removal.
            Ok(Some(instance)) if instance.phase == Phase::Removed => self.want_pass(),
            Ok(None) => self.want_pass(),
            Ok(Some(instance)) => self.wake(instance.key()),
            Err(fault) => tracing::debug!(error = &fault as &dyn Error, "the pass will find out"),
        }
    }
}

/// The condition under which an engine is shown.
fn condition(host: &HostId, engine: &str) -> String {
    match host.is_local() {
        true => format!("engine {engine}"),
        false => format!("engine {engine} on {host}"),
    }
}
