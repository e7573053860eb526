//! Notices an engine that hangs: its sockets take connections and its streams stay open, and it answers nothing.
//!
//! The stream of events cannot tell: it is silent too when nothing happens. So the engine is asked a small question
//! every few seconds, beside the stream. A slow answer ends nothing: what the engine was asked before goes on.

use std::convert::Infallible;
use std::time::Duration;

use orchestrator_plugin::Engine;
use tokio::time::{sleep, timeout};

use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::Conditions;
use orchestrator_runtime::metrics::Metrics;

/// The pause between two questions. With [`LIMIT`] it is less than five seconds: so soon is a hang seen.
const PERIOD: Duration = Duration::from_secs(2);
/// How long an answer may take. A busy engine answers this question in milliseconds.
const LIMIT: Duration = Duration::from_millis(2_500);

/// Shows under `condition` whether the engine answers, until it is dropped.
pub(super) async fn beat(
    plugin: &dyn Engine,
    conditions: &Conditions,
    condition: &str,
    metrics: &Metrics,
) -> Infallible {
    loop {
        sleep(PERIOD).await;
        match timeout(LIMIT, plugin.check()).await {
            Ok(Ok(_)) => conditions.set_ok(condition),
            Ok(Err(fault)) => conditions.set_waiting(condition, with_causes(&fault)),
            Err(_) => {
                metrics.engine_hung();
                let reason = format!(
                    "it takes connections and does not answer within {LIMIT:?}: it hangs or is overloaded; look at its \
                     log, or restart it"
                );
                conditions.set_waiting(condition, reason);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use async_trait::async_trait;
    use orchestrator_plugin::{
        Capabilities, Change, Container, ContainerSpec, Engine, EngineError, EngineFacts, Found, ImageFacts,
        NetworkMode,
    };
    use tokio::sync::mpsc;
    use tokio::time::{Instant, advance};

    use super::*;

    /// An engine that answers one question, unless it hangs.
    #[derive(Default)]
    struct Hanging {
        hangs: AtomicBool,
    }

    #[async_trait]
    impl Engine for Hanging {
        fn name(&self) -> &str {
            "fake"
        }

        fn capabilities(&self) -> Capabilities {
            Capabilities::NONE
        }

        async fn check(&self) -> Result<EngineFacts, EngineError> {
            if self.hangs.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            Ok(EngineFacts {
                name: "Fake".to_owned(),
                version: "1".to_owned(),
            })
        }

        async fn check_equipment(&self) -> Result<(), EngineError> {
            unreachable!("not asked here")
        }

        async fn check_image(&self, _: &str) -> Result<ImageFacts, EngineError> {
            unreachable!("not asked here")
        }

        async fn ensure(&self, _: &Container, _: &ContainerSpec, _: &NetworkMode) -> Result<Found, EngineError> {
            unreachable!("not asked here")
        }

        async fn stop(&self, _: &Container) -> Result<(), EngineError> {
            unreachable!("not asked here")
        }

        async fn find(&self, _: &Container) -> Result<Option<Found>, EngineError> {
            unreachable!("not asked here")
        }

        async fn remove(&self, _: &Container) -> Result<(), EngineError> {
            unreachable!("not asked here")
        }

        async fn list(&self) -> Result<Vec<Found>, EngineError> {
            unreachable!("not asked here")
        }

        async fn watch(&self, _: mpsc::Sender<Change>) -> EngineError {
            unreachable!("not asked here")
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_engine_that_hangs_is_seen_within_five_seconds_and_so_is_its_return() {
        let (engine, conditions) = (Hanging::default(), Conditions::default());
        let _owned = conditions.own("engine fake");
        conditions.set_ok("engine fake");
        let metrics = Metrics::default();
        let hang = async {
            advance(Duration::from_secs(60)).await;
            assert!(conditions.ready(), "it answers");
            engine.hangs.store(true, Ordering::Relaxed);
            let began = Instant::now();
            while conditions.ready() {
                sleep(Duration::from_millis(100)).await;
            }
            assert!(began.elapsed() <= Duration::from_secs(5), "{:?}", began.elapsed());
            let reason = conditions.list()[0].reason.clone().unwrap();
            assert!(reason.contains("does not answer"), "{reason}");
            engine.hangs.store(false, Ordering::Relaxed);
            while !conditions.ready() {
                sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            never = beat(&engine, &conditions, "engine fake", &metrics) => match never {},
            () = hang => {}
        }
    }
}
