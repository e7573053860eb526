//! Waits for the first answer of an instance.

use orchestrator_plugin::Engine;

use super::LocalHost;
use super::ensure::Started;
use super::probe::{self, Place};
use super::while_running::while_running;
use crate::{EnsureFault, InstancePlan, NoAnswer, Progress, Stage};

impl LocalHost {
    /// Waits for the first answer, for as long as the process runs that was wired.
    pub(super) async fn see_answer(
        &self,
        plan: &InstancePlan,
        engine: &dyn Engine,
        started: &Started,
        progress: &Progress,
    ) -> Result<(), EnsureFault> {
        let news = self.inner.news.subscribe(plan.id);
        progress.reach(Stage::Awaiting);
        // The process whose namespace was wired may have ended meanwhile, and its number been taken by another.
        let observe = || self.is_still(engine, started);
        let answered = while_running(observe, self.answers(plan), || news.received()).await;
        if let Err(EnsureFault::Ended { .. } | EnsureFault::Cause(_)) = &answered {
            // Whatever was wired, nobody can say that it is this instance.
            self.unwire(plan).await;
        }
        answered
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
