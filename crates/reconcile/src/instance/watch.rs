//! Watches hosts for changes that the daemon did not make: one task for each engine, and one for the networks of each host.
//!
//! A run of such a task is one watch. It goes on for as long as the watch does, and the driver begins the next one when
//! it broke.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_host::{Host, HostChange, HostError, WatchScope};
use tokio::sync::mpsc;

use super::Orchestrator;
use crate::driver::{Backoff, Failure, Handle, Next, Reconciler, Registration, Run, TaskSet};
use orchestrator_model::{HostId, InstanceId, Phase};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::Owned;

/// The wait before a host is watched again whose watch broke.
const PAUSE: Duration = Duration::from_millis(500);
/// Changes that may queue; beyond it the watch itself waits.
const QUEUE: usize = 1024;

/// An engine of a host.
pub(super) type EngineKey = (HostId, String);

/// The tasks that watch engines.
pub(super) type EngineWatches = TaskSet<EngineKey>;

/// Watches one engine. Its task and its condition have the same name.
struct EngineWatch {
    orchestrator: Orchestrator,
    host: Arc<dyn Host>,
    engine: String,
    condition: String,
    _owned: Owned,
}

/// Watches the networks of one host.
struct NetworkWatch {
    orchestrator: Orchestrator,
    host: Arc<dyn Host>,
}

impl Orchestrator {
    /// Watches the engines of every host while they are needed. None of them is asked anything before.
    pub(super) fn watch_engines(&self, watches: &mut EngineWatches, needed: bool) {
        if !needed {
            return watches.iter().for_each(|(_, handle)| handle.cancel());
        }
        for (id, host) in &self.inner.hosts {
            for engine in host.capabilities().engines.into_keys() {
                let key = (id.clone(), engine);
                watches.ensure(&key, || self.watch_engine(&key, host));
            }
        }
    }

    fn watch_engine(&self, (id, engine): &EngineKey, host: &Arc<dyn Host>) -> Handle {
        let subject = match id.is_local() {
            true => engine.clone(),
            false => format!("{engine} on {id}"),
        };
        let condition = format!("engine {subject}");
        let watch = EngineWatch {
            orchestrator: self.clone(),
            host: host.clone(),
            engine: engine.clone(),
            _owned: self.inner.conditions.own(&condition),
            condition,
        };
        let registration = Registration::new("engine", "watches an engine, and what happens to its containers")
            .about(&subject)
            .retrying(Backoff::constant(PAUSE))
            .having_condition();
        self.inner.driver.register(registration, watch)
    }

    /// Watches the networks of every host until the daemon stops.
    pub(super) fn watch_networks(&self) {
        for (id, host) in &self.inner.hosts {
            let purpose = "notices at once when bridges and the interfaces of instances change";
            let registration = Registration::new("network watch", purpose)
                .retrying(Backoff::constant(PAUSE))
                .settling_after(PAUSE);
            let registration = match id.is_local() {
                true => registration,
                false => registration.about(&format!("on {id}")),
            };
            let watch = NetworkWatch {
                orchestrator: self.clone(),
                host: host.clone(),
            };
            self.inner.driver.register(registration, watch);
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

#[async_trait]
impl Reconciler for EngineWatch {
    async fn reconcile(&mut self, run: &Run) -> Result<Next, Failure> {
        let (sender, mut changes) = mpsc::channel(QUEUE);
        let receive = async {
            while let Some(change) = changes.recv().await {
                self.changed(run, change).await;
            }
        };
        // When the watch has ended, what it had reported is still taken in.
        let scope = WatchScope::Engine(self.engine.clone());
        let (fault, ()) = tokio::join!(self.host.watch(scope, sender), receive);
        let reason = match fault {
            HostError::Watch { source, .. } => source.text(),
            other => with_causes(&other),
        };
        // Nothing is known of an engine that is not watched.
        self.orchestrator.inner.metrics.engine_lost();
        let conditions = &self.orchestrator.inner.conditions;
        conditions.set_waiting(&self.condition, reason.as_str());
        Err(reason.into())
    }
}

impl EngineWatch {
    async fn changed(&self, run: &Run, change: HostChange) {
        let inner = &self.orchestrator.inner;
        match change {
            HostChange::Instance(instance) => self.orchestrator.wake_owner(instance).await,
            HostChange::EngineUp { engine, facts } => {
                tracing::info!(engine = facts.name, version = facts.version, "watching");
                run.settled();
                run.set_detail(format!("{} {}", facts.name, facts.version));
                inner.conditions.set_ok(&self.condition);
                self.orchestrator.engine_is_back(&engine).await;
            }
            HostChange::EngineAnswers { .. } => {
                run.settled();
                inner.conditions.set_ok(&self.condition);
            }
            HostChange::EngineFails {
                reason,
                hangs,
                again_in,
                ..
            } => {
                if hangs {
                    inner.metrics.engine_hung();
                }
                run.fails(&reason, again_in);
                inner.conditions.set_waiting(&self.condition, reason);
            }
            // An engine has no networks.
            HostChange::Networks
            | HostChange::BridgeUp { .. }
            | HostChange::PortFreed
            | HostChange::Interfaces
            | HostChange::Routes
            | HostChange::Policy
            | HostChange::RouteGone(_) => {}
        }
    }
}

#[async_trait]
impl Reconciler for NetworkWatch {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let (sender, mut changes) = mpsc::channel(QUEUE);
        let receive = async {
            while let Some(change) = changes.recv().await {
                self.changed(change).await;
            }
        };
        // When the watch has ended, what it had reported is still taken in.
        let (fault, ()) = tokio::join!(self.host.watch(WatchScope::Networks, sender), receive);
        Err(Failure::of(&fault))
    }
}

impl NetworkWatch {
    async fn changed(&self, change: HostChange) {
        let orchestrator = &self.orchestrator;
        match change {
            HostChange::Instance(instance) => orchestrator.wake_owner(instance).await,
            HostChange::Networks => orchestrator.want_pass(),
            HostChange::BridgeUp { name } => orchestrator.bridge_is_back(&name).await,
            HostChange::PortFreed if orchestrator.any_bridge_full() => orchestrator.want_pass(),
            // Others watch these.
            HostChange::PortFreed
            | HostChange::Interfaces
            | HostChange::Routes
            | HostChange::Policy
            | HostChange::RouteGone(_) => {}
            // A network has no engine.
            HostChange::EngineUp { .. } | HostChange::EngineAnswers { .. } | HostChange::EngineFails { .. } => {}
        }
    }
}
