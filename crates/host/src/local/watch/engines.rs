//! Watches the engines, each for itself.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use orchestrator_plugin::{Change, Engine, EngineError, EngineFacts};
use orchestrator_runtime::causes::with_causes;
use tokio::sync::mpsc;

use super::{QUEUE, heartbeat, report};
use crate::local::LocalHost;
use crate::{Cause, HostChange};

/// The wait before an engine is asked again that did not answer, or whose stream broke.
const PAUSE: Duration = Duration::from_millis(500);

/// How the watch on an engine ended.
enum Ended {
    /// The engine is lost.
    Lost(EngineError),
    /// Nobody listens.
    Unheeded(Cause),
}

impl LocalHost {
    /// Watches every engine until nobody listens.
    pub(in crate::local) async fn watch_engines(&self, changes: &mpsc::Sender<HostChange>) -> Cause {
        let engines = self.inner.engines.values();
        let mut watches: FuturesUnordered<_> = engines
            .map(|engine| self.watch_engine(engine.as_ref(), changes))
            .collect();
        match watches.next().await {
            Some(fault) => fault,
            // There is no engine: nothing ever happens to one.
            None => {
                changes.closed().await;
                Cause::Unheeded
            }
        }
    }

    async fn watch_engine(&self, engine: &dyn Engine, changes: &mpsc::Sender<HostChange>) -> Cause {
        loop {
            let fault = match engine.check().await {
                Err(fault) => fault,
                Ok(facts) => match self.watch_once(engine, facts, changes).await {
                    Ended::Lost(fault) => fault,
                    Ended::Unheeded(fault) => return fault,
                },
            };
            let down = HostChange::EngineDown {
                engine: engine.name().to_owned(),
                reason: with_causes(&fault),
            };
            if let Err(fault) = report(changes, down).await {
                return fault;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn watch_once(&self, engine: &dyn Engine, facts: EngineFacts, changes: &mpsc::Sender<HostChange>) -> Ended {
        let (sender, mut received) = mpsc::channel(QUEUE);
        let pass_on = async {
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
            // The sender lives in the watch, which says why it ended.
            std::future::pending().await
        };
        tokio::select! {
            fault = engine.watch(sender) => Ended::Lost(fault),
            fault = pass_on => Ended::Unheeded(fault),
            fault = heartbeat::beat(engine, changes) => Ended::Unheeded(fault),
        }
    }
}
