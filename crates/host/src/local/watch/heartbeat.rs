//! Notices an engine that hangs: its sockets take connections and its streams stay open, and it answers nothing.
//!
//! The stream of events cannot tell: it is silent too when nothing happens. So the engine is asked a small question
//! every few seconds, beside the stream. A slow answer ends nothing: what the engine was asked before goes on.

use std::time::Duration;

use orchestrator_plugin::Engine;
use orchestrator_runtime::causes::with_causes;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::report;
use crate::{Cause, HostChange};

/// The pause between two questions. With [`LIMIT`] it is less than five seconds: so soon is a hang seen.
const PERIOD: Duration = Duration::from_secs(2);
/// How long an answer may take. A busy engine answers this question in milliseconds.
const LIMIT: Duration = Duration::from_millis(2_500);

/// Reports when the engine begins to fail what it is asked, each time it does so again, and when it answers again.
/// Ends only when nobody listens.
pub(super) async fn beat(engine: &dyn Engine, changes: &mpsc::Sender<HostChange>) -> Cause {
    let mut answers = true;
    loop {
        sleep(PERIOD).await;
        let name = || engine.name().to_owned();
        let change = match timeout(LIMIT, engine.ping()).await {
            Ok(Ok(())) if answers => continue,
            Ok(Ok(())) => HostChange::EngineAnswers { engine: name() },
            Ok(Err(fault)) => HostChange::EngineFails {
                engine: name(),
                reason: with_causes(&fault),
                hangs: false,
                again_in: PERIOD,
            },
            Err(_) => HostChange::EngineFails {
                engine: name(),
                reason: format!(
                    "it takes connections and does not answer within {LIMIT:?}: it hangs or is overloaded; look at \
                     its log, or restart it"
                ),
                hangs: true,
                again_in: PERIOD,
            },
        };
        answers = matches!(change, HostChange::EngineAnswers { .. });
        if let Err(fault) = report(changes, change).await {
            return fault;
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
        let engine = Hanging::default();
        let (sender, mut changes) = mpsc::channel(8);
        let hang = async {
            advance(Duration::from_secs(60)).await;
            assert!(changes.try_recv().is_err(), "it answers");
            engine.hangs.store(true, Ordering::Relaxed);
            let began = Instant::now();
            let Some(HostChange::EngineFails {
                reason, hangs: true, ..
            }) = changes.recv().await
            else {
                panic!("it hangs")
            };
            assert!(began.elapsed() <= Duration::from_secs(5), "{:?}", began.elapsed());
            assert!(reason.contains("does not answer"), "{reason}");
            engine.hangs.store(false, Ordering::Relaxed);
            while !matches!(changes.recv().await, Some(HostChange::EngineAnswers { .. })) {}
        };
        tokio::select! {
            fault = beat(&engine, &sender) => panic!("{fault}"),
            () = hang => {}
        }
    }
}
