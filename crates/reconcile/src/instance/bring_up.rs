//! One try to bring an instance to answer: it is made to run, wired, and probed.
//!
//! ```text
//!   bridge there, with a port? ─▶ (stop) ─▶ plugin.ensure ─▶ network.ensure_attachment ─▶ probe ─▶ announce
//!              │ no                                               │ failed                  │ meanwhile its
//!              ▼                                                  ▼                         ▼ process ended
//!       not started, or stopped                            stopped, by kind              failed at once
//! ```

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orchestrator_network::{AttachmentPlan, NetworkError};
use orchestrator_plugin::{Engine, EngineError, Found, FoundState, NetworkMode, Running};

use super::environment::{self, ValueError};
use super::failure::{Failure, Unanswering, Unwired, stops};
use super::machine::restart_after;
use super::probe::{self, NoAnswer, Place};
use super::while_running::while_running;
use super::worker::Wake;
use super::{Orchestrator, alias, container};
use orchestrator_model::{Attachment, ContainerSpec, Instance};
use orchestrator_runtime::causes::with_causes;

/// How long the files that hold values of environment variables may take to be read.
const ENVIRONMENT_LIMIT: Duration = Duration::from_secs(10);

/// An instance that was brought to answer.
pub(super) struct Answering {
    /// The engine's own name for it.
    pub(super) reference: String,
    /// Where its network namespace is.
    pub(super) netns: PathBuf,
}

impl Orchestrator {
    /// The steps themselves. `news` is rung when the engine or anybody else has news of the client.
    pub(super) async fn bring_up(&self, instance: &Instance, restart: bool, news: &Wake) -> Result<Answering, Failure> {
        let plugin = self
            .inner
            .plugins
            .get(instance.engine())
            .ok_or_else(|| Failure::UnknownEngine(instance.engine().to_owned()))?;
        let plans = self.plan_attachments(instance);
        for plan in &plans {
            if let Err(fault) = self.check_port(plan).await {
                return Err(self.unwired(plugin.as_ref(), instance, plan, fault).await);
            }
        }
        if restart {
            plugin.stop(&container(instance)).await?;
            self.inner.checks.renew(instance.id);
        }
        let spec = resolved(&instance.spec).await?;
        let made = plugin
            .ensure(&container(instance), &spec, &NetworkMode::EngineNamespace)
            .await?;
        let (found, running) = running(made)?;
        let netns = netns(&running)?.to_owned();
        for plan in &plans {
            self.wire(plugin.as_ref(), instance, plan, &running).await?;
        }
        news.clear();
        self.see_answer(plugin.as_ref(), instance, &plans, &running, news)
            .await?;
        for plan in &plans {
            self.announce(plan).await;
        }
        Ok(Answering {
            reference: found.reference,
            netns,
        })
    }

    /// Wires the instance. One that cannot be wired does not run without a network for ever.
    async fn wire(
        &self,
        plugin: &dyn Engine,
        instance: &Instance,
        plan: &AttachmentPlan,
        running: &Running,
    ) -> Result<(), Failure> {
        let Err(fault) = self.inner.network.ensure_attachment(plan, netns(running)?).await else {
            return Ok(());
        };
        // A process that has ended took its namespace along: that is the failure then.
        if let Err(ended @ Failure::Ended { .. }) = self.is_still(plugin, instance, running).await {
            return Err(ended);
        }
        Err(self.unwired(plugin, instance, plan, fault).await)
    }

    /// Says that an instance cannot be wired, and stops it where it must not run meanwhile.
    async fn unwired(
        &self,
        plugin: &dyn Engine,
        instance: &Instance,
        plan: &AttachmentPlan,
        source: NetworkError,
    ) -> Failure {
        self.report_full_bridge(&plan.bridge, &source);
        let fate = match stops(&source, instance.attempts) {
            false => Unwired::Left,
            true => match plugin.stop(&container(instance)).await {
                Ok(()) => {
                    self.inner.metrics.instance_stopped();
                    Unwired::Stopped
                }
                Err(fault) => Unwired::NotStopped(with_causes(&fault)),
            },
        };
        Failure::Wiring { fate, source }
    }

    /// Waits for the first answer, for as long as the wired process runs.
    async fn see_answer(
        &self,
        plugin: &dyn Engine,
        instance: &Instance,
        plans: &[AttachmentPlan],
        running: &Running,
        news: &Wake,
    ) -> Result<(), Failure> {
        // The process whose namespace was wired may have ended meanwhile, and its number been taken by another.
        let look = || self.is_still(plugin, instance, running);
        let answered = while_running(look, self.answers(instance), news).await;
        if let Err(Failure::Ended { .. } | Failure::Engine(_)) = &answered {
            // Whatever was wired, nobody can say that it is this instance.
            for plan in plans {
                let _ = self
                    .inner
                    .network
                    .remove_attachment(&plan.host_interface, &plan.alias)
                    .await;
            }
        }
        answered
    }

    async fn is_still(&self, plugin: &dyn Engine, instance: &Instance, wired: &Running) -> Result<(), Failure> {
        let Some(found) = plugin.find(&container(instance)).await? else {
            return Err(EngineError::Failed {
                verb: "keep",
                subject: format!("instance {}", instance.id),
                reason: "it was removed while it was brought up".to_owned(),
            }
            .into());
        };
        let (found, now) = running(found)?;
        if now.pid == wired.pid {
            return Ok(());
        }
        Err(Failure::Ended {
            id: found.key.instance,
            code: None,
        })
    }

    async fn answers(&self, instance: &Instance) -> Result<(), Failure> {
        let settings = self.settings();
        let template = settings.templates.get(&instance.template);
        let Some(ready) = template.and_then(|template| template.ready) else {
            return Ok(());
        };
        // An instance whose address is pending cannot be asked.
        let Some(address) = instance.address() else {
            return Ok(());
        };
        let reacting = self.inner.checks.reacts(instance.id);
        let place = Place {
            address,
            port: ready.tcp,
            interface: instance.link().to_owned(),
        };
        match probe::tcp(&place, ready.within, reacting).await {
            Ok(()) => Ok(()),
            Err(source @ NoAnswer::Local(_)) => Err(Failure::NotReached {
                address: place.address,
                link: place.interface,
                source,
            }),
            Err(source) => Err(Failure::Silent {
                address: place.address,
                port: place.port,
                within: ready.within,
                fate: self.fate_of_silent(instance),
                source,
            }),
        }
    }

    fn fate_of_silent(&self, instance: &Instance) -> Unanswering {
        let settings = self.settings();
        let template = settings.templates.get(&instance.template);
        let of = template
            .and_then(|template| template.ready)
            .map_or(0, |ready| ready.restarts);
        match restart_after(instance, self.terms(Some(instance))) {
            Some(nth) => Unanswering::Restarted { nth, of },
            None if instance.ready.is_none() || of == 0 => Unanswering::Left,
            None if !self.inner.checks.answered(instance.id) => Unanswering::NotSeen,
            None => Unanswering::GivenUp { after: of },
        }
    }

    /// Tells the link where the instance is. Who waits for it would find it by itself, only later.
    async fn announce(&self, plan: &AttachmentPlan) {
        let network = &self.inner.network;
        let announced = match network.find_bridge(&plan.bridge).await {
            Ok(Some(bridge)) => network.announce(&bridge, plan.address.addr(), plan.mac),
            Ok(None) => Ok(()),
            Err(fault) => Err(fault),
        };
        if let Err(fault) = announced {
            tracing::debug!(
                interface = plan.host_interface,
                reason = with_causes(&fault),
                "not announced"
            );
        }
    }

    /// How the instance is to be attached, as it was planned with it: whatever the settings say by now. An attachment
    /// whose address is pending is not among them.
    pub(super) fn plan_attachments(&self, instance: &Instance) -> Vec<AttachmentPlan> {
        let plan = |attachment: &Attachment| {
            Some(AttachmentPlan {
                host_interface: attachment.host_end(),
                alias: alias(self.inner.mark, instance.id),
                bridge: attachment.network.clone(),
                interface: attachment.interface.clone(),
                address: attachment.net()?,
                mac: attachment.mac.0,
                gateway: attachment.gateway,
                isolated: attachment.isolated,
            })
        };
        instance.attachments.iter().filter_map(plan).collect()
    }
}

fn running(found: Found) -> Result<(Found, Running), Failure> {
    let id = found.key.instance;
    match &found.state {
        FoundState::Running(running) | FoundState::Paused(running) => {
            let running = running.clone();
            Ok((found, running))
        }
        FoundState::Exited { code } => Err(Failure::Ended { id, code: Some(*code) }),
        FoundState::Created => Err(Failure::Ended { id, code: None }),
    }
}

/// The network namespace to wire.
fn netns(running: &Running) -> Result<&Path, EngineError> {
    running.netns().ok_or_else(|| EngineError::Failed {
        verb: "wire",
        subject: format!("process {}", running.pid),
        reason: "the engine reports no network namespace of it".to_owned(),
    })
}

/// The specification with the values that are read now. Files may be on a disk that hangs, so no runtime thread waits.
async fn resolved(spec: &ContainerSpec) -> Result<Cow<'_, ContainerSpec>, Failure> {
    if spec.environment_from.is_empty() {
        return Ok(Cow::Borrowed(spec));
    }
    let spec = spec.clone();
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let read = tokio::task::spawn_blocking(move || environment::resolve(&spec, credentials.as_deref()));
    let read = tokio::time::timeout(ENVIRONMENT_LIMIT, read).await;
    match read.map_err(|_| ValueError::Hangs)? {
        Ok(resolved) => Ok(Cow::Owned(resolved?)),
        Err(_) => Err(ValueError::Hangs.into()),
    }
}
