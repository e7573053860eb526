//! Brings an instance to answer, and records what came of it.

use std::collections::BTreeMap;
use std::future::pending;
use std::time::Duration;

use orchestrator_host::{EnsureFault, Ensured, HostError, Progress, Stage, Unwired};
use tokio::pin;
use tokio::time::Instant;

use super::Orchestrator;
use super::failure::{Failure, Unanswering};
use super::machine::{Retry, Shortfall, Step, restart_after, retry};
use super::pinned::explain;
use super::turns::{Turn, Work};
use super::worker::Wake;
use orchestrator_model::{EventKind, Instance, NewEvent, Phase};
use orchestrator_runtime::causes::with_causes;
use orchestrator_store::{InstanceUpdate, StoreError};

/// What came of a try, and how long it took.
type Attempt = (Result<Ensured, Failure>, Duration);

impl Orchestrator {
    /// Provisions, but gives up as soon as the situation of its slot asks for something else. `restart` is the number of
    /// the restart with which it begins, if it does.
    ///
    /// Dropping the attempt half-way is safe: each of its steps may be repeated or undone later. Its outcome is recorded in any
    /// case.
    pub(super) async fn provision_unless_woken(
        &self,
        instance: &Instance,
        restart: Option<u32>,
        wake: &Wake,
    ) -> Result<(), StoreError> {
        let key = instance.key();
        let attempt = self.provision(instance, restart);
        pin!(attempt);
        let attempted = loop {
            tokio::select! {
                biased;
                attempted = &mut attempt => break attempted?,
                () = wake.received() => {
                    let situation = self.situation(&key).await?;
                    let same = situation.as_ref().and_then(|s| s.instance.as_ref()).is_some_and(|i| is_same(i, instance));
                    let go_on = match situation {
                        Some(situation) if same => {
                            matches!(self.next_step(&situation).await, Step::Provision | Step::Restart { .. })
                        }
                        _ => false,
                    };
                    if !go_on {
                        return Ok(());
                    }
                }
            }
        };
        match attempted {
            None => Ok(()),
            Some((Ok(ensured), took)) => self.record_ready(instance, ensured, took).await,
            Some((Err(failure), _)) => self.record_failure(instance, failure).await,
        }
    }

    /// One try, and how long it took; `None` when the instance is not to be brought up any more.
    async fn provision(&self, instance: &Instance, restart: Option<u32>) -> Result<Option<Attempt>, StoreError> {
        let turn = self
            .inner
            .turns
            .take(instance.host.as_ref(), instance.engine(), Work::Provision)
            .await;
        let began = Instant::now();
        // The instance is recorded already. That work on it begins can be recorded in parallel.
        let (recorded, outcome) = tokio::join!(
            self.record_begun(instance, restart),
            self.bring_up_under_rules(instance, restart.is_some(), turn)
        );
        if !recorded? {
            return Ok(None);
        }
        Ok(Some((outcome?, began.elapsed())))
    }

    /// Records that a try begins, unless that is on record. Returns `false` when it could not be recorded, because the
    /// instance is on its way out.
    async fn record_begun(&self, instance: &Instance, restart: Option<u32>) -> Result<bool, StoreError> {
        if (instance.phase, instance.due, restart) == (Phase::Starting, None, None) {
            return Ok(true);
        }
        // Why the last try failed is shown until one succeeds.
        let starting = self.update(instance, Phase::Starting, instance.reason.clone(), None);
        let event = restart.map(|nth| self.restarted(instance, nth));
        self.inner.records.update_instance(instance.id, starting, event).await
    }

    /// One try to bring the instance to answer. Its rules are made while its containers start, and it is wired when they
    /// are in force.
    async fn bring_up_under_rules(
        &self,
        instance: &Instance,
        restart: bool,
        turn: Turn,
    ) -> Result<Result<Ensured, Failure>, StoreError> {
        let progress = Progress::closed();
        let refused = async {
            match self.inner.rules.in_force(instance).await {
                Ok(()) => {
                    progress.admit();
                    pending().await
                }
                Err(reason) => reason,
            }
        };
        tokio::select! {
            biased;
            outcome = self.bring_up(instance, restart, turn, &progress) => outcome,
            reason = refused => Ok(Err(Failure::Rules(reason))),
        }
    }

    /// One try to bring the instance to answer. The turn is given up when nothing is left to do but to wait.
    async fn bring_up(
        &self,
        instance: &Instance,
        restart: bool,
        turn: Turn,
        progress: &Progress,
    ) -> Result<Result<Ensured, Failure>, StoreError> {
        let Some(host) = self.host_of(instance) else {
            return Ok(Err(Failure::unknown_host(instance)));
        };
        let pinned = match self.pinned(instance).await? {
            Ok(pinned) => pinned,
            Err(failure) => return Ok(Err(failure)),
        };
        if restart {
            // The reactions of its former process are not expected of the next one.
            self.inner.checks.renew(instance.id);
        }
        let mut plan = self.instance_plan(instance, restart, &pinned);
        let own = match self.inner.own_files.of(instance).await {
            Ok(own) => own,
            Err(reason) => return Ok(Err(Failure::OwnFiles(reason))),
        };
        if let Some(main) = plan.containers.first_mut() {
            main.spec.files.extend(own);
        }
        let ensure = host.ensure(&plan, progress);
        pin!(ensure);
        let outcome = tokio::select! {
            biased;
            outcome = &mut ensure => outcome,
            () = progress.until(Stage::Awaiting) => {
                drop(turn);
                self.leave_engine(&instance.key());
                ensure.await
            }
        };
        let explained = |fault| match explain(instance, &pinned, &fault) {
            Some(failure) => failure,
            None => self.failure(instance, fault),
        };
        Ok(outcome.map_err(explained))
    }

    /// Translates a host's error into the failure of the instance.
    fn failure(&self, instance: &Instance, fault: HostError) -> Failure {
        match fault {
            HostError::Ensure(EnsureFault::Silent {
                address,
                port,
                within,
                runs,
                source,
            }) => Failure::Silent {
                address,
                port,
                within,
                fate: match runs {
                    true => self.fate_of_silent(instance),
                    false => Unanswering::Unknown,
                },
                source,
            },
            HostError::Ensure(EnsureFault::NotWired { ref fate, .. }) => {
                if *fate == Unwired::Stopped {
                    self.inner.metrics.instance_stopped();
                }
                self.report_full_bridge(instance, &fault);
                Failure::Host(fault)
            }
            fault => Failure::Host(fault),
        }
    }

    fn fate_of_silent(&self, instance: &Instance) -> Unanswering {
        let declared = self.declared();
        let template = declared.template(&instance.template);
        let of = template
            .and_then(|template| template.settings.ready)
            .map_or(0, |ready| ready.restarts);
        match restart_after(instance, self.terms(Some(instance))) {
            Some(nth) => Unanswering::Restarted { nth, of },
            None if instance.ready.is_none() || of == 0 => Unanswering::Left,
            None if !self.inner.checks.answered(instance.id) => Unanswering::NotSeen,
            None => Unanswering::GivenUp { after: of },
        }
    }

    fn restarted(&self, instance: &Instance, nth: u32) -> NewEvent {
        if nth == 0 {
            tracing::info!(instance = %instance.id, owner = %instance.owner, "restarting: somebody asked for it");
            return self.event(
                instance,
                EventKind::InstanceRestarted,
                Some("asked for by hand".to_owned()),
            );
        }
        let of = self.terms(Some(instance)).restarts;
        tracing::warn!(instance = %instance.id, owner = %instance.owner, nth, of, "restarting: it stopped answering");
        self.inner.metrics.instance_restarted();
        let detail = format!("restart {nth} of {of}: it stopped answering");
        self.event(instance, EventKind::InstanceRestarted, Some(detail))
    }

    async fn record_ready(&self, instance: &Instance, ensured: Ensured, took: Duration) -> Result<(), StoreError> {
        let now = self.inner.clock.now();
        tracing::info!(instance = %instance.id, address = instance.address().map(tracing::field::display), took_ms = took.as_millis(), "ready");
        self.inner.metrics.instance_ready(took);
        let update = InstanceUpdate {
            references: Some(references(&ensured)),
            ready: instance.ready.or(Some(now)),
            // One that was asked for meanwhile is later, and stays.
            reset: instance.times.reset,
            ..self.update(instance, Phase::Ready, None, None)
        };
        let detail = Some(format!("{} ms after its provisioning began", took.as_millis()));
        let event = self.event(instance, EventKind::InstanceReady, detail);
        self.inner
            .records
            .update_instance(instance.id, update, Some(event))
            .await?;
        if instance
            .attachments
            .iter()
            .any(|attachment| !attachment.routed.is_empty())
        {
            // The route reconciler watches over the routes that the host made.
            self.inner.notifications.notify_prefixes();
        }
        if let Some(subject) = self.subject(&as_ensured(instance, &ensured)) {
            self.inner.checks.begin(instance.id, subject);
        }
        Ok(())
    }

    async fn record_failure(&self, instance: &Instance, failure: Failure) -> Result<(), StoreError> {
        let text = with_causes(&failure);
        let waits = failure.shortfall() == Shortfall::Address;
        if !waits {
            self.inner.metrics.provision_failed(failure.code());
        }
        let Retry { phase, attempts, due } = retry(instance, failure.shortfall(), self.inner.clock.now());
        let update = InstanceUpdate {
            attempts,
            // It was stopped and started, even if it does not answer yet. An engine that failed may have done neither.
            reset: instance.times.reset.filter(|_| phase == Phase::Starting),
            ..self.update(instance, phase, Some(text.clone()), Some(due))
        };
        // The timeline says it once; the instance says it for as long as it is so.
        let news = !waits && instance.reason.as_deref() != Some(text.as_str());
        if news {
            tracing::warn!(instance = %instance.id, owner = %instance.owner, code = failure.code(), reason = text, "not ready");
        }
        let event = news.then(|| self.event(instance, EventKind::InstanceFailed, Some(text)));
        let hurried = InstanceUpdate {
            due: None,
            ..update.clone()
        };
        let recorded = self.inner.records.update_instance(instance.id, update, event).await?;
        if waits {
            return self.hurry_if_given(instance, hurried).await;
        }
        match failure.speaks() {
            Some(name) if recorded && news => {
                let place = instance.containers.iter().position(|container| container.name == name);
                self.record_output(instance, place.unwrap_or_default(), attempts).await
            }
            _ => Ok(()),
        }
    }

    /// Ends the wait for an address that was given before the wait was recorded: nobody wakes the instance any more.
    async fn hurry_if_given(&self, instance: &Instance, hurried: InstanceUpdate) -> Result<(), StoreError> {
        let now = self.situation(&instance.key()).await?.and_then(|now| now.instance);
        if now.is_some_and(|now| now.id == instance.id && !is_same(&now, instance)) {
            self.inner.records.update_instance(instance.id, hurried, None).await?;
        }
        Ok(())
    }
}

/// Whether an instance is still the one that an attempt began with, with the same addresses.
fn is_same(now: &Instance, begun: &Instance) -> bool {
    now.id == begun.id && now.attachments == begun.attachments
}

/// The engines' own names for the containers, by the names of these.
fn references(ensured: &Ensured) -> BTreeMap<String, String> {
    let of =
        |container: &orchestrator_host::ContainerRef| Some((container.name.to_string(), container.reference.clone()?));
    ensured.containers.iter().filter_map(of).collect()
}

/// The instance with the references that were just recorded.
fn as_ensured(instance: &Instance, ensured: &Ensured) -> Instance {
    let mut references = references(ensured);
    let mut instance = instance.clone();
    for container in &mut instance.containers {
        container.reference = references.remove(&container.name);
    }
    instance
}
