//! Watches the engine and the links for what happens behind our back.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_network::LinkChange;
use orchestrator_plugin::{Change, Engine, EngineError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Orchestrator, alias_prefix, heartbeat};
use orchestrator_model::{InstanceId, Phase};
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::Owned;

/// The wait before an engine is asked again that did not answer, or whose stream broke.
const ENGINE_PAUSE: Duration = Duration::from_millis(500);
/// Changes that may queue; beyond it the watch itself waits.
const QUEUE: usize = 1024;

/// The condition under which an engine is shown.
fn condition(plugin: &str) -> String {
    format!("engine {plugin}")
}

impl Orchestrator {
    /// Watches every engine while they are needed.
    pub(super) fn watch_engines(&self, needed: bool) {
        let mut watched = self.watched();
        if !needed {
            // Each takes itself off the list when it has ended.
            return watched.values().for_each(CancellationToken::cancel);
        }
        for (name, plugin) in &self.inner.plugins {
            watched.entry(name.clone()).or_insert_with(|| {
                let owned = self.inner.conditions.own(&condition(name));
                let stop = self.inner.stop.child_token();
                let watch = self.clone().watch_engine(plugin.clone(), owned, stop.clone());
                self.inner.tasks.spawn(watch);
                stop
            });
        }
    }

    async fn watch_engine(self, plugin: Arc<dyn Engine>, owned: Owned, stop: CancellationToken) {
        let condition = condition(plugin.name());
        let watch = async {
            loop {
                let fault = match plugin.check().await {
                    Err(fault) => fault,
                    Ok(facts) => {
                        tracing::info!(engine = facts.name, version = facts.version, "watching");
                        self.inner.conditions.set_ok(&condition);
                        self.watch_once(plugin.as_ref(), &condition).await
                    }
                };
                self.inner.metrics.engine_lost();
                self.inner.conditions.set_waiting(&condition, with_causes(&fault));
                tokio::time::sleep(ENGINE_PAUSE).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = watch => {}
        }
        if !self.inner.stop.is_cancelled() {
            let mut watched = self.watched();
            drop(owned);
            watched.remove(plugin.name());
            // It may be needed again since.
            self.want_pass();
        }
    }

    async fn watch_once(&self, plugin: &dyn Engine, condition: &str) -> EngineError {
        let (sender, mut changes) = mpsc::channel(QUEUE);
        let watch = plugin.watch(sender);
        let hear = async {
            while let Some(change) = changes.recv().await {
                match change {
                    Change::Everything => self.engine_is_back(plugin.name()).await,
                    Change::Container(key) => self.wake_owner(key.instance).await,
                }
            }
            // The sender lives in `watch`, which tells why it ended.
            std::future::pending::<Infallible>().await
        };
        tokio::select! {
            fault = watch => fault,
            never = hear => match never {},
            never = heartbeat::beat(plugin, &self.inner.conditions, condition, &self.inner.metrics) => match never {},
        }
    }

    /// The engine answers (again): whatever waited for it is due now.
    async fn engine_is_back(&self, plugin: &str) {
        if let Err(fault) = self.inner.store.hurry_instances(plugin).await {
            tracing::debug!(error = &fault as &dyn Error, "what waited for the engine waits on");
        }
        self.want_pass();
    }

    /// The bridge is up (again): whatever waited for it is due now.
    async fn bridge_is_back(&self, link: &str) {
        if let Err(fault) = self.inner.store.hurry_link(link).await {
            tracing::debug!(error = &fault as &dyn Error, "what waits for the bridge waits on");
        }
        self.want_pass();
    }

    async fn wake_owner(&self, id: InstanceId) {
        match self.inner.store.instance(id).await {
            // Not ours to keep: the pass removes it. It may have been created after its removal.
            Ok(Some(view)) if view.instance.phase == Phase::Removed => self.want_pass(),
            Ok(None) => self.want_pass(),
            Ok(Some(view)) => self.wake(view.instance.key()),
            Err(fault) => tracing::debug!(error = &fault as &dyn Error, "the pass will find out"),
        }
    }

    pub(super) async fn watch_links(self) {
        let stop = self.inner.stop.clone();
        let (sender, mut changes) = mpsc::channel(QUEUE);
        let watch = async {
            loop {
                let fault = self.inner.network.watch(sender.clone()).await;
                tracing::warn!(error = &fault as &dyn Error, "lost sight of the links; watching again");
                tokio::time::sleep(ENGINE_PAUSE).await;
            }
        };
        let hear = async {
            while let Some(change) = changes.recv().await {
                self.link_changed(change).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = watch => {}
            () = hear => {}
        }
    }

    async fn link_changed(&self, change: LinkChange) {
        match change {
            // Ports fall off a bridge that goes away, and are put back on the one that comes.
            LinkChange::Everything | LinkChange::BridgeGone { .. } => self.want_pass(),
            LinkChange::BridgeUp { name } => self.bridge_is_back(&name).await,
            LinkChange::BridgeDown { .. } => {}
            LinkChange::AttachmentChanged { host_interface, alias } => {
                self.attachment_changed(&host_interface, &alias).await;
            }
            LinkChange::AttachmentGone { alias, .. } => {
                if self.any_bridge_full() {
                    self.want_pass();
                }
                if let Some(id) = self.owner(&alias) {
                    self.wake_owner(id).await;
                }
            }
        }
    }

    /// Has the owner look, unless this was the beginning of a removal: that is told of by itself.
    async fn attachment_changed(&self, host_interface: &str, alias: &str) {
        let Some(id) = self.owner(alias) else { return };
        let mark = alias_prefix(self.inner.mark);
        if let Ok(Some(_)) = self.inner.network.find_attachment(host_interface, &mark).await {
            self.wake_owner(id).await;
        }
    }

    /// The instance of this alias, if it is one of ours.
    pub(super) fn owner(&self, alias: &str) -> Option<InstanceId> {
        alias.strip_prefix(&alias_prefix(self.inner.mark))?.parse().ok()
    }
}
