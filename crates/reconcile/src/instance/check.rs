//! What is checked of a ready instance, and how it is asked.

use std::path::Path;
use std::time::Duration;

use orchestrator_network::{AttachmentPlan, Flaw, NetworkError};

use super::Orchestrator;
use super::checks::{Check, Outcome, Subject, Target};
use super::probe::{self, Answer, NoAnswer, Place};
use orchestrator_model::Instance;

/// How long an instance may take to answer a check.
const LIMIT: Duration = Duration::from_secs(5);

/// Time between two looks at the wiring of an instance whose template does not say how it answers.
const WIRING_EVERY: Duration = Duration::from_secs(30);

impl Orchestrator {
    /// What is to be checked of an instance that is ready: that it answers, where its template says how; else its
    /// wiring, where its namespace is known. `None` when nothing can be.
    pub(super) fn subject(&self, instance: &Instance, netns: Option<&Path>) -> Option<Subject> {
        let settings = self.settings();
        let template = settings.templates.get(&instance.template);
        let ready = template.and_then(|template| template.ready);
        let (target, every, failures) = match ready.filter(|ready| !ready.every.is_zero()) {
            Some(ready) => {
                let place = Place {
                    address: instance.address()?,
                    port: ready.tcp,
                    interface: instance.link().to_owned(),
                };
                (Target::Tcp(place), ready.every, ready.failures)
            }
            None => {
                let target = Target::Wiring {
                    plans: self.plan_attachments(instance).into(),
                    netns: netns?.to_owned(),
                };
                (target, WIRING_EVERY, u32::MAX)
            }
        };
        Some(Subject {
            key: instance.key(),
            target,
            every,
            failures,
        })
    }

    /// Makes checks until the daemon stops.
    pub(super) async fn check_for_ever(self) {
        let probe = |check| {
            let orchestrator = self.clone();
            async move { orchestrator.ask(check).await }
        };
        tokio::select! {
            () = self.inner.stop.cancelled() => {}
            () = self.inner.checks.run(probe, |check| self.look_into(check)) => {}
        }
    }

    /// Makes one check.
    async fn ask(&self, check: Check) -> Outcome {
        let subject = &check.subject;
        let outcome = match &subject.target {
            Target::Tcp(place) => {
                let limit = LIMIT.min(subject.every);
                match probe::once(place, limit, check.reacting).await {
                    Ok(Answer::Reacted) => Outcome::Reacted,
                    Ok(Answer::Taken) => Outcome::Taken,
                    Err(NoAnswer::Local(_)) => Outcome::Unknown,
                    Err(NoAnswer::Refused) => Outcome::Silent("it refuses connections"),
                    Err(NoAnswer::Unreachable) => Outcome::Silent("nothing has its address"),
                    Err(_) => Outcome::Silent("it takes no connection"),
                }
            }
            // Its worker looks at it once more, by what the engine says then.
            Target::Wiring { plans, netns } => match self.find_flaw(plans, netns).await {
                Ok(None) => Outcome::AsPlanned,
                Ok(Some(_)) => Outcome::Silent("its wiring is not as planned"),
                Err(NetworkError::NamespaceGone { .. }) => Outcome::Silent("its network is gone"),
                Err(_) => Outcome::Unknown,
            },
        };
        self.inner.metrics.instance_checked(match outcome {
            Outcome::Reacted => "reacted",
            Outcome::Taken => "taken",
            Outcome::AsPlanned => "as-planned",
            Outcome::Silent(_) => "failed",
            Outcome::Unknown => "unknown",
        });
        outcome
    }

    /// What is wrong with the first of these attachments that is not as planned.
    ///
    /// # Errors
    ///
    /// When one of them could not be looked at.
    pub(super) async fn find_flaw(&self, plans: &[AttachmentPlan], netns: &Path) -> Result<Option<Flaw>, NetworkError> {
        for plan in plans {
            if let Some(flaw) = self.inner.network.find_flaw(plan, netns).await? {
                return Ok(Some(flaw));
            }
        }
        Ok(None)
    }

    /// Has the worker of the slot look at an instance whose check failed.
    fn look_into(&self, check: &Check) {
        tracing::debug!(instance = %check.id, of = %check.subject.key, "a check failed");
        self.wake(check.subject.key.clone());
    }
}
