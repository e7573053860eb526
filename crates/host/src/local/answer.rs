//! Waits for the first answer of an instance.

use std::sync::atomic::{AtomicBool, Ordering};

use orchestrator_plugin::Engine;
use tokio::sync::oneshot;

use super::LocalHost;
use super::ensure::Started;
use super::news::Subscription;
use super::probe::{self, Place};
use super::while_running::while_running;
use crate::{EnsureFault, InstancePlan, NoAnswer, Progress, Stage};

/// What is waited for of an instance.
pub(super) struct Awaited<'a, A> {
    /// The future that resolves to the answer. It may have been polled before.
    pub(super) answer: A,
    /// News of its process. The subscription began before the start of a process that is new.
    pub(super) news: &'a Subscription<'a>,
}

impl LocalHost {
    /// Announces the instance and waits for its first answer, for as long as the process runs that was wired.
    pub(super) async fn see_answer(
        &self,
        plan: &InstancePlan,
        engine: &dyn Engine,
        started: &Started,
        progress: &Progress,
    ) -> Result<(), EnsureFault> {
        let news = self.inner.news.subscribe(plan.id);
        let awaited = Awaited {
            answer: self.answers_announced(plan),
            news: &news,
        };
        self.see_awaited(plan, engine, started, progress, awaited).await
    }

    /// The same where something is waited for already.
    pub(super) async fn see_awaited(
        &self,
        plan: &InstancePlan,
        engine: &dyn Engine,
        started: &Started,
        progress: &Progress,
        awaited: Awaited<'_, impl Future<Output = Result<(), EnsureFault>>>,
    ) -> Result<(), EnsureFault> {
        progress.reach(Stage::Awaiting);
        // The process whose namespace was wired may have ended meanwhile, and its number been taken by another.
        let observe = || self.is_still(engine, started);
        let Awaited { answer, news } = awaited;
        let answered = while_running(started.is_new, observe, answer, || news.received()).await;
        if let Err(EnsureFault::Ended { .. } | EnsureFault::Cause(_)) = &answered {
            // Whatever was wired, nobody can say that it is this instance.
            self.unwire(plan).await;
        }
        answered
    }

    /// Announces the instance when the engine says that it started the first container, and waits for the answer. `None`
    /// where the engine does not say that early, or something else comes first. `is_new` tells which.
    pub(super) async fn answers_once_started(
        &self,
        plan: &InstancePlan,
        progress: &Progress,
        started: oneshot::Receiver<()>,
        is_new: &AtomicBool,
    ) -> Option<Result<(), EnsureFault>> {
        if plan.containers.len() > 1 {
            return None;
        }
        EnsureFault::of_pending(&plan.attachments).ok()?;
        started.await.ok()?;
        is_new.store(true, Ordering::Relaxed);
        progress.until_admitted().await;
        Some(self.answers_announced(plan).await)
    }

    /// Announces the instance, whose process runs, and waits for the answer.
    pub(super) async fn answers_announced(&self, plan: &InstancePlan) -> Result<(), EnsureFault> {
        self.announce_all(plan);
        self.answers(plan).await
    }

    async fn answers(&self, plan: &InstancePlan) -> Result<(), EnsureFault> {
        let Some(ready) = plan.readiness else { return Ok(()) };
        let reached = plan.attachments.first();
        let Some((attachment, address)) = reached.and_then(|first| Some((first, first.address?))) else {
            return Ok(());
        };
        let place = Place {
            address,
            port: ready.port,
            interface: attachment.bridge.clone(),
        };
        match probe::tcp(&place, ready.within, ready.reacting).await {
            Ok(()) => Ok(()),
            Err(source @ NoAnswer::Local(_)) => Err(EnsureFault::NotReached {
                address,
                network: place.interface,
                source,
            }),
            Err(source) => Err(EnsureFault::Silent {
                address,
                port: place.port,
                within: ready.within,
                runs: true,
                source,
            }),
        }
    }

    /// Takes the attachments away, as far as that is possible.
    async fn unwire(&self, plan: &InstancePlan) {
        for attachment in &plan.attachments {
            let (host_end, alias) = (attachment.host_end(), self.alias(plan.id));
            let _ = self.network().remove_attachment(&host_end, &alias).await;
        }
    }
}
