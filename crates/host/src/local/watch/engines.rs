//! Watches one engine.

use orchestrator_plugin::{Change, Engine, EngineFacts};
use tokio::sync::mpsc;

use super::{QUEUE, heartbeat, report};
use crate::local::LocalHost;
use crate::{Cause, HostChange};

impl LocalHost {
    /// Watches an engine until it is lost or nobody listens. Fails at once when it does not answer.
    pub(in crate::local) async fn watch_engine(&self, name: &str, changes: &mpsc::Sender<HostChange>) -> Cause {
        let engine = match self.engine(name) {
            Ok(engine) => engine.as_ref(),
            Err(fault) => return fault,
        };
        let facts = match engine.check().await {
            Ok(facts) => facts,
            Err(fault) => return fault.into(),
        };
        let (sender, received) = mpsc::channel(QUEUE);
        tokio::select! {
            fault = engine.watch(sender) => fault.into(),
            fault = self.pass_on(engine, &facts, received, changes) => fault,
            fault = heartbeat::beat(engine, changes) => fault,
        }
    }

    /// Reports what the engine says, and notifies those who wait for it. Ends only when nobody listens.
    async fn pass_on(
        &self,
        engine: &dyn Engine,
        facts: &EngineFacts,
        mut received: mpsc::Receiver<Change>,
        changes: &mpsc::Sender<HostChange>,
    ) -> Cause {
        while let Some(change) = received.recv().await {
            let change = match change {
                Change::Everything => {
                    self.inner.news.notify_all();
                    HostChange::EngineUp {
                        engine: engine.name().to_owned(),
                        facts: facts.clone(),
                    }
                }
                Change::Container(key) => {
                    self.inner.news.notify(key.instance);
                    HostChange::Instance(key.instance)
                }
            };
            if let Err(fault) = report(changes, change).await {
                return fault;
            }
        }
        // The sender lives in the engine's watch, which says why it ended.
        std::future::pending().await
    }
}
