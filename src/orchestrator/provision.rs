//! Makes an instance run, wires it, and sees it answer.

use std::borrow::Cow;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant as Stopwatch};

use ipnet::Ipv6Net;
use orchestrator_network::{AttachmentPlan, NetworkError};
use orchestrator_plugin::{Found, FoundState, Plugin, PluginError, Remedy, Running};
use tokio::pin;

use super::environment::{self, ValueError};
use super::machine::{Step, wait_after};
use super::worker::Wake;
use super::{Orchestrator, alias, host_interface, link_layer, probe};
use crate::causes::with_causes;
use crate::model::{ClientId, EventKind, Instance, InstanceSpec, Phase};
use crate::store::{InstanceUpdate, StoreError};

/// How long to wait for an engine that is down before it is asked again; its return wakes everyone earlier.
const ENGINE_PAUSE: Duration = Duration::from_secs(10);

/// How long the files that hold values of environment variables may take to be read.
const ENVIRONMENT_LIMIT: Duration = Duration::from_secs(10);

/// Why an instance could not be brought to answer.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("plugin {0:?} is not known to this daemon; it is needed to provision this instance")]
    UnknownPlugin(String),
    #[error("link {0:?} is no longer in the settings")]
    UnknownLink(String),
    #[error(transparent)]
    Environment(#[from] ValueError),
    #[error(transparent)]
    Engine(#[from] PluginError),
    #[error("its first process ended at once{}; see the engine's log of container {reference}",
        code.map(|code| format!(" with exit code {code}")).unwrap_or_default())]
    Ended { reference: String, code: Option<i64> },
    #[error("it could not be wired")]
    Wiring(#[source] NetworkError),
    #[error("it does not answer on TCP port {port} of {address} within {within:?}; it is left running")]
    Silent {
        address: Ipv6Addr,
        port: u16,
        within: Duration,
        #[source]
        source: std::io::Error,
    },
}

impl Failure {
    fn code(&self) -> &'static str {
        match self {
            Self::UnknownPlugin(_) => "unknown-plugin",
            Self::UnknownLink(_) => "unknown-link",
            Self::Environment(_) => "no-environment",
            Self::Engine(fault) => fault.code(),
            Self::Ended { .. } => "ended",
            Self::Wiring(_) => "wiring-failed",
            Self::Silent { .. } => "not-answering",
        }
    }
}

impl Orchestrator {
    /// Provisions, but gives up as soon as the client's situation asks for something else.
    ///
    /// Dropping the attempt half-way is safe: each of its steps may be repeated or undone later.
    pub(super) async fn provision_unless_woken(
        &self,
        client: ClientId,
        instance: &Instance,
        wake: &Wake,
    ) -> Result<(), StoreError> {
        let attempt = self.provision(instance);
        pin!(attempt);
        loop {
            tokio::select! {
                outcome = &mut attempt => return outcome,
                () = wake.heard() => {
                    let situation = self.inner.store.situation(client).await?;
                    let same = situation.as_ref().and_then(|s| s.instance.as_ref()).is_some_and(|i| i.id == instance.id);
                    let go_on = match situation {
                        Some(situation) if same => self.next_step(&situation).await == Step::Provision,
                        _ => false,
                    };
                    if !go_on {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn provision(&self, instance: &Instance) -> Result<(), StoreError> {
        let began = Stopwatch::now();
        let starting = InstanceUpdate {
            due: None,
            ..self.update(instance, Phase::Starting, None, None)
        };
        // What is wanted is recorded already; that work on it begins may be recorded while it does.
        let (recorded, outcome) = tokio::join!(
            self.inner.store.update_instance(instance.id, starting, None),
            self.bring_up(instance)
        );
        if !recorded? {
            return Ok(());
        }
        match outcome {
            Ok(reference) => self.record_ready(instance, reference, began.elapsed()).await,
            Err(failure) => self.record_failure(instance, failure).await,
        }
    }

    /// The steps themselves. Returns the engine's name for the instance.
    async fn bring_up(&self, instance: &Instance) -> Result<String, Failure> {
        let plugin = self
            .inner
            .plugins
            .get(instance.plugin.as_str())
            .ok_or_else(|| Failure::UnknownPlugin(instance.plugin.clone()))?;
        let plan = self
            .plan_attachment(instance)
            .ok_or_else(|| Failure::UnknownLink(instance.link.clone()))?;
        let spec = resolved(&instance.spec).await?;
        let (found, running) = running(plugin.ensure(&instance.id, &spec).await?)?;
        self.inner
            .network
            .ensure_attachment(&plan, &running.netns)
            .await
            .map_err(Failure::Wiring)?;
        // The process whose namespace was wired may have ended meanwhile, and its number been taken by another.
        let (still, answers) = tokio::join!(
            self.is_still(plugin.as_ref(), instance, &running),
            self.answers(instance)
        );
        if let Err(failure) = still {
            // Whatever was wired, it was not this instance.
            let _ = self
                .inner
                .network
                .remove_attachment(&plan.host_interface, &plan.alias)
                .await;
            return Err(failure);
        }
        answers?;
        self.announce(&plan).await;
        Ok(found.reference)
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

    async fn is_still(&self, plugin: &dyn Plugin, instance: &Instance, wired: &Running) -> Result<(), Failure> {
        let Some(found) = plugin.find(&instance.id).await? else {
            return Err(PluginError::Failed {
                verb: "keep",
                subject: format!("instance {}", instance.id),
                reason: "it was removed while it was wired".to_owned(),
            }
            .into());
        };
        let (found, now) = running(found)?;
        if now.pid == wired.pid {
            return Ok(());
        }
        Err(Failure::Ended {
            reference: found.reference,
            code: None,
        })
    }

    async fn answers(&self, instance: &Instance) -> Result<(), Failure> {
        let settings = self.settings();
        let template = settings.templates.get(&instance.template);
        let Some(ready) = template.and_then(|template| template.ready) else {
            return Ok(());
        };
        probe::tcp(instance.address, ready.tcp, ready.within)
            .await
            .map_err(|source| Failure::Silent {
                address: instance.address,
                port: ready.tcp,
                within: ready.within,
                source,
            })
    }

    fn plan_attachment(&self, instance: &Instance) -> Option<AttachmentPlan> {
        let settings = self.settings();
        let link = settings.link(&instance.link)?;
        let isolated = settings
            .templates
            .get(&instance.template)
            .is_none_or(|template| template.isolated);
        let address = Ipv6Net::new(instance.address, link.address.prefix_len()).ok()?;
        Some(AttachmentPlan {
            host_interface: host_interface(instance.id),
            alias: alias(self.inner.mark, instance.id),
            bridge: link.name.clone(),
            interface: "eth1".to_owned(),
            address,
            mac: link_layer(instance.address),
            gateway: Some(link.address.addr()),
            isolated,
        })
    }

    async fn record_ready(&self, instance: &Instance, reference: String, took: Duration) -> Result<(), StoreError> {
        let now = self.inner.clock.now();
        tracing::info!(instance = %instance.id, address = %instance.address, ?took, "ready");
        self.inner.metrics.instance_ready(took);
        let update = InstanceUpdate {
            reference: Some(reference),
            ready: instance.ready.or(Some(now)),
            ..self.update(instance, Phase::Ready, None, None)
        };
        let detail = Some(format!("{} ms after its provisioning began", took.as_millis()));
        let event = self.event(instance, EventKind::InstanceReady, detail);
        self.inner
            .store
            .update_instance(instance.id, update, Some(event))
            .await
            .map(drop)
    }

    async fn record_failure(&self, instance: &Instance, failure: Failure) -> Result<(), StoreError> {
        let text = with_causes(&failure);
        self.inner.metrics.provision_failed(failure.code());
        let down = matches!(&failure, Failure::Engine(fault) if fault.remedy() == Remedy::Engine);
        // An engine that is down is not the instance's failure.
        let attempts = if down {
            instance.attempts
        } else {
            instance.attempts.saturating_add(1)
        };
        let pause = if down { ENGINE_PAUSE } else { wait_after(attempts) };
        let phase = if matches!(failure, Failure::Silent { .. }) {
            Phase::Starting
        } else {
            Phase::Pending
        };
        let due = self.inner.clock.now().plus(pause);
        let update = InstanceUpdate {
            attempts,
            ..self.update(instance, phase, Some(text.clone()), Some(due))
        };
        // The timeline says it once; the instance says it for as long as it is so.
        let news = instance.reason.as_deref() != Some(text.as_str());
        if news {
            tracing::warn!(instance = %instance.id, client = %instance.client, code = failure.code(), reason = text, "not ready");
        }
        let event = news.then(|| self.event(instance, EventKind::InstanceFailed, Some(text)));
        self.inner
            .store
            .update_instance(instance.id, update, event)
            .await
            .map(drop)
    }
}

fn running(found: Found) -> Result<(Found, Running), Failure> {
    match &found.state {
        FoundState::Running(running) => {
            let running = running.clone();
            Ok((found, running))
        }
        FoundState::Exited { code } => Err(Failure::Ended {
            reference: found.reference,
            code: Some(*code),
        }),
        FoundState::Created => Err(Failure::Ended {
            reference: found.reference,
            code: None,
        }),
    }
}

/// The specification with the values that are read now. Files may be on a disk that hangs, so no runtime thread waits.
async fn resolved(spec: &InstanceSpec) -> Result<Cow<'_, InstanceSpec>, Failure> {
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
