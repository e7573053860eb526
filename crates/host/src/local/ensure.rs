//! Brings an instance to answer.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::maybe_done;
use orchestrator_network::NetworkError;
use orchestrator_plugin::{
    Capability, Container, ContainerKey, Engine, EngineError, Found, FoundState, NetworkMode, Preparer, Preparing,
    Running,
};
use orchestrator_runtime::causes::with_causes;
use tokio::pin;
use tokio::sync::oneshot;

use super::LocalHost;
use super::answer::Awaited;
use super::news::Subscription;
use super::values::resolved;
use super::while_running::seen_to_end;
use crate::{Cause, ContainerPlan, ContainerRef, EnsureFault, Ensured, InstancePlan, Progress};

/// The first container of an instance, as it was started.
pub(super) struct Started {
    /// What it is for its engine.
    pub(super) container: Container,
    /// Its process and its network.
    pub(super) running: Running,
    /// Whether the engine has said that this call started the process. Otherwise the process may have ended since the
    /// engine found it, so the engine is asked again.
    pub(super) is_new: bool,
}

impl LocalHost {
    pub(super) async fn ensure_instance(
        &self,
        plan: &InstancePlan,
        progress: &Progress,
    ) -> Result<Ensured, EnsureFault> {
        let first = plan.containers.first().ok_or(Cause::NoContainer)?;
        let engine = self.engine(&first.engine)?.as_ref();
        self.check_engines(plan).await?;
        if let Err(fault) = self.check_ports(plan).await {
            return Err(self.not_wired(plan, fault).await);
        }
        if plan.restart {
            self.stop_all(plan).await?;
        }
        self.ensure_volumes(plan).await?;
        let capabilities = engine.learn_capabilities().await?;
        if capabilities.has(Capability::PreparedNamespace) {
            return self.ensure_prepared(plan, engine, first, progress).await;
        }
        // Subscribed before the start, so that an end right after it is noticed.
        let news = self.inner.news.subscribe(plan.id);
        let started = self.start_and_wire(plan, engine, first, progress, &news).await?;
        let containers = self.start_others(plan, &started, progress).await?;
        let awaited = Awaited {
            answer: self.answers_announced(plan),
            news: &news,
        };
        self.see_awaited(plan, engine, &started, progress, awaited).await?;
        Ok(Ensured { containers })
    }

    /// Brings an instance to answer whose network namespace is made before its containers.
    ///
    /// The answer is waited for from the moment that the engine has started the first container: what the engine then says
    /// about it is found out meanwhile, and must be that it runs.
    async fn ensure_prepared(
        &self,
        plan: &InstancePlan,
        engine: &dyn Engine,
        first: &ContainerPlan,
        progress: &Progress,
    ) -> Result<Ensured, EnsureFault> {
        // Subscribed before the start, so that an end right after it is noticed.
        let news = self.inner.news.subscribe(plan.id);
        let (preparing, preparer, told) = Preparing::new(self.namespace_of(plan.id));
        let is_new = AtomicBool::new(false);
        let early = maybe_done(self.answers_once_started(plan, progress, told, &is_new));
        let starting = self.wire_and_start(plan, engine, first, preparing, preparer);
        pin!(early, starting);
        let mut started = tokio::select! {
            biased;
            started = &mut starting => started?,
            () = &mut early => starting.await?,
        };
        started.is_new = is_new.load(Ordering::Relaxed);
        let containers = self.start_others(plan, &started, progress).await?;
        let answer = async {
            early.as_mut().await;
            match early.as_mut().take_output().flatten() {
                Some(answered) => answered,
                None => self.answers_announced(plan).await,
            }
        };
        let awaited = Awaited { answer, news: &news };
        self.see_awaited(plan, engine, &started, progress, awaited).await?;
        Ok(Ensured { containers })
    }

    /// Refuses what an engine cannot do, before anything is made.
    async fn check_engines(&self, plan: &InstancePlan) -> Result<(), Cause> {
        for (place, container) in plan.containers.iter().enumerate() {
            let engine = self.engine(&container.engine)?;
            let mut needed = container.spec.needs();
            if place > 0 {
                needed = needed.with(Capability::SharedNamespace);
            }
            if plan.mounts.iter().any(|mount| mount.container == container.name) {
                needed = needed.with(Capability::Volumes);
            }
            engine.learn_capabilities().await?.require(engine.name(), needed)?;
        }
        Ok(())
    }

    /// Has the engine make a network namespace, and wires that: while the container starts, if the engine shows it so
    /// early.
    async fn start_and_wire(
        &self,
        plan: &InstancePlan,
        engine: &dyn Engine,
        first: &ContainerPlan,
        progress: &Progress,
        news: &Subscription<'_>,
    ) -> Result<Started, EnsureFault> {
        let (sender, early) = oneshot::channel::<PathBuf>();
        let wiring = async {
            let early = early.await.ok()?;
            // The engine may close the path as soon as it has started the container.
            let held = self.network().hold_namespace(&early);
            progress.until_admitted().await;
            let wired = match &held {
                Ok(held) => self.wire_into(plan, held).await.map_err(|fault| with_causes(&fault)),
                Err(fault) => Err(with_causes(fault)),
            };
            match wired {
                Ok(()) => held.ok(),
                Err(reason) => {
                    // It is tried again when the container runs, and reported then.
                    tracing::debug!(instance = %plan.id, reason, "not wired while it starts");
                    None
                }
            }
        };
        let (started, wired) = tokio::join!(self.start_early(plan, engine, first, sender), wiring);
        let mut started = started?;
        let netns = netns(&started.running)?;
        if wired.is_some_and(|early| early.is_at(netns)) {
            // An engine shows a namespace early only if it starts the process.
            started.is_new = true;
            return Ok(started);
        }
        progress.until_admitted().await;
        let Err(fault) = self.wire_all(plan, netns).await else {
            return Ok(started);
        };
        // A process that has ended took its namespace along: that is the failure then.
        let observe = || self.is_still(engine, &started);
        let is_gone = matches!(fault, NetworkError::NamespaceGone { .. });
        match seen_to_end(is_gone, observe, || news.received()).await {
            Some(ended) => Err(ended),
            None => Err(self.not_wired(plan, fault).await),
        }
    }

    /// Makes and wires a network namespace while the engine creates the first container, which starts when that is done.
    async fn wire_and_start(
        &self,
        plan: &InstancePlan,
        engine: &dyn Engine,
        first: &ContainerPlan,
        preparing: Preparing,
        preparer: Preparer,
    ) -> Result<Started, EnsureFault> {
        let wiring = async move {
            let netns = self.ensure_namespace(plan.id).await?;
            preparer.made();
            self.wire_all(plan, &netns).await?;
            preparer.wired();
            Ok::<_, NetworkError>(())
        };
        let (wiring, started) = tokio::join!(wiring, self.start_once_wired(plan, engine, first, preparing));
        match wiring {
            Ok(()) => started,
            Err(fault) => Err(self.not_wired(plan, fault).await),
        }
    }

    /// Starts the containers that share the network namespace of the first, and waits until packets pass. Returns all
    /// containers as they are recorded.
    async fn start_others(
        &self,
        plan: &InstancePlan,
        started: &Started,
        progress: &Progress,
    ) -> Result<Vec<ContainerRef>, EnsureFault> {
        let first = &started.container;
        let mut all = Vec::with_capacity(plan.containers.len());
        for (number, container) in plan.containers.iter().enumerate() {
            let reference = match number {
                0 => first.reference.clone(),
                _ => {
                    let engine = self.engine(&container.engine)?.as_ref();
                    let shared = NetworkMode::Shared(first.clone());
                    self.start(plan, engine, container, &shared).await?.container.reference
                }
            };
            all.push(ContainerRef {
                reference,
                ..plan.container(container)
            });
        }
        self.saw_network(plan.id, started.running.netns());
        EnsureFault::of_pending(&plan.attachments)?;
        progress.until_admitted().await;
        Ok(all)
    }

    /// Has the engine start a container, with the values that are read now.
    async fn start(
        &self,
        plan: &InstancePlan,
        engine: &dyn Engine,
        container: &ContainerPlan,
        network: &NetworkMode,
    ) -> Result<Started, EnsureFault> {
        let spec = self.with_mounts(plan, container, resolved(&container.spec).await?);
        let made = engine
            .ensure(&plan.container(container).container(), &spec, network)
            .await?;
        running(made)
    }

    /// The same in a network namespace that the engine makes, and shows as early as it can.
    async fn start_early(
        &self,
        plan: &InstancePlan,
        engine: &dyn Engine,
        container: &ContainerPlan,
        namespace: oneshot::Sender<PathBuf>,
    ) -> Result<Started, EnsureFault> {
        let spec = self.with_mounts(plan, container, resolved(&container.spec).await?);
        let made = engine
            .ensure_wired_early(&plan.container(container).container(), &spec, namespace)
            .await?;
        running(made)
    }

    /// The same in a network namespace of ours, as soon as that is made and wired.
    async fn start_once_wired(
        &self,
        plan: &InstancePlan,
        engine: &dyn Engine,
        container: &ContainerPlan,
        preparing: Preparing,
    ) -> Result<Started, EnsureFault> {
        let spec = self.with_mounts(plan, container, resolved(&container.spec).await?);
        let made = engine
            .ensure_once_wired(&plan.container(container).container(), &spec, preparing)
            .await?;
        running(made)
    }

    /// Makes sure that the process that was wired still runs.
    pub(super) async fn is_still(&self, engine: &dyn Engine, wired: &Started) -> Result<(), EnsureFault> {
        let Some(found) = engine.find(&wired.container).await? else {
            return Err(EngineError::Failed {
                verb: "keep",
                subject: format!("instance {}", wired.container.key.instance),
                reason: "it was removed while it was brought up".to_owned(),
            }
            .into());
        };
        let now = running(found)?;
        if now.running.pid == wired.running.pid {
            return Ok(());
        }
        Err(ended(now.container.key, None))
    }
}

/// A container that was found, if it runs.
pub(super) fn running(found: Found) -> Result<Started, EnsureFault> {
    let container = found.container();
    match found.state {
        FoundState::Running(running) | FoundState::Paused(running) => Ok(Started {
            container,
            running,
            is_new: false,
        }),
        FoundState::Exited { code } => Err(ended(found.key, Some(code))),
        FoundState::Created => Err(ended(found.key, None)),
    }
}

fn ended(container: ContainerKey, code: Option<i64>) -> EnsureFault {
    EnsureFault::Ended { container, code }
}

/// The network namespace to wire.
pub(super) fn netns(running: &Running) -> Result<&Path, EngineError> {
    running.netns().ok_or_else(|| EngineError::Failed {
        verb: "wire",
        subject: format!("process {}", running.pid),
        reason: "the engine reports no network namespace of it".to_owned(),
    })
}
