//! Checks of a ready instance: their subject, and how they are made.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_host::{Depth, DialPlan, Host, HostError, NoAnswer, Observation, Reaction, Socket, reaction};
use tokio::time::Instant;

use super::Orchestrator;
use super::checks::{Check, Outcome, Round, Subject, Target};
use super::request::instance_ref;
use crate::driver::{Failure, Next, Reconciler, Registration, Run};
use orchestrator_model::Instance;

/// How long an instance may take to answer a check.
const LIMIT: Duration = Duration::from_secs(5);

/// Time between two observations of the wiring of an instance whose template does not say how it answers.
const WIRING_EVERY: Duration = Duration::from_secs(30);

impl Orchestrator {
    /// The subject of the checks of a ready instance: its answer, if its template says how; otherwise its wiring.
    /// `None` when neither can be checked.
    pub(super) fn subject(&self, instance: &Instance) -> Option<Subject> {
        let declared = self.declared();
        let template = declared.template(&instance.template);
        let ready = template.and_then(|template| template.settings.ready);
        let (target, every, failures) = match ready.filter(|ready| !ready.every.is_zero()) {
            Some(ready) => {
                let socket = Socket::Tcp {
                    bridge: instance.attachment()?.bridge.clone(),
                    address: instance.address()?,
                    port: ready.tcp,
                };
                (Target::Socket(socket), ready.every, ready.failures)
            }
            None => {
                let target = Target::Wiring(Arc::new(instance_ref(instance)));
                (target, WIRING_EVERY, u32::MAX)
            }
        };
        Some(Subject {
            key: instance.key(),
            host: instance.host.clone()?,
            target,
            every,
            failures,
        })
    }

    /// Makes checks until the daemon stops.
    pub(super) fn register_checks(&self) {
        let registration = Registration::new("checks", "checks whether instances that are ready still answer");
        let checker = Checker {
            orchestrator: self.clone(),
            round: Round::default(),
        };
        self.inner.driver.register(registration, checker);
    }

    /// Makes one check.
    async fn ask(&self, check: Check) -> Outcome {
        let subject = &check.subject;
        let Some(host) = self.inner.hosts.get(&subject.host) else {
            return Outcome::Unknown;
        };
        let outcome = match &subject.target {
            Target::Socket(socket) => {
                let plan = DialPlan {
                    id: check.id,
                    socket: socket.clone(),
                    within: LIMIT.min(subject.every),
                };
                match dial(host.as_ref(), &plan, check.reacting).await {
                    Ok(Reaction::Reacted) => Outcome::Reacted,
                    Ok(Reaction::Taken) => Outcome::Taken,
                    Err(HostError::Dial { source, .. }) => match source {
                        NoAnswer::Local(_) | NoAnswer::Unsupported(_) => Outcome::Unknown,
                        NoAnswer::Refused => Outcome::Silent("it refuses connections"),
                        NoAnswer::Unreachable => Outcome::Silent("nothing has its address"),
                        NoAnswer::TimedOut | NoAnswer::Mute => Outcome::Silent("it takes no connection"),
                    },
                    Err(_) => Outcome::Unknown,
                }
            }
            // Its worker observes it once more, by what the engine says then.
            Target::Wiring(instance) => match host.see(instance, Depth::Inside).await {
                Ok(Observation::Running) => Outcome::AsPlanned,
                Ok(Observation::Unwired | Observation::AwaitsAddress | Observation::Flawed(_)) => {
                    Outcome::Silent("its wiring is not as planned")
                }
                Ok(Observation::Absent | Observation::Stopped { .. }) => Outcome::Silent("its network is gone"),
                Ok(Observation::Incomplete { .. }) => Outcome::Silent("one of its containers does not run"),
                Ok(Observation::Unknown | Observation::Paused) | Err(_) => Outcome::Unknown,
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

    /// Wakes the worker of an instance whose check failed.
    fn wake_worker_of(&self, check: &Check) {
        tracing::debug!(instance = %check.id, of = %check.subject.key, "a check failed");
        self.wake(check.subject.key.clone());
    }
}

/// Makes checks when they are due.
struct Checker {
    orchestrator: Orchestrator,
    round: Round,
}

#[async_trait]
impl Reconciler for Checker {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let Self { orchestrator, round } = self;
        let probe = |check| {
            let orchestrator = orchestrator.clone();
            async move { orchestrator.ask(check).await }
        };
        let due = round.begin_due(&orchestrator.inner.checks, probe);
        Ok(due.map_or(Next::Wait, Next::At))
    }

    async fn notified(&mut self) {
        let Self { orchestrator, round } = self;
        let failed = round.changed(&orchestrator.inner.checks).await;
        failed.iter().for_each(|check| orchestrator.wake_worker_of(check));
    }
}

/// Connects once, and with `reacting` sees whether the connection is reacted to, all within the time of the plan.
async fn dial(host: &dyn Host, plan: &DialPlan, reacting: bool) -> Result<Reaction, HostError> {
    let deadline = Instant::now() + plan.within;
    let mut stream = host.dial(plan).await?;
    match reacting {
        true => Ok(reaction(&mut *stream, deadline).await),
        false => Ok(Reaction::Taken),
    }
}
