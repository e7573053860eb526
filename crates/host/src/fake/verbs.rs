//! The verbs that make, observe and remove instances.

use std::time::Duration;

use orchestrator_network::{Flaw, NetworkError};
use orchestrator_plugin::{ContainerKey, ContainerName, EngineError};
use tokio::time::{Instant, sleep, timeout};

use super::state::{FakeAttachment, FakeContainer};
use super::{FakeMachine, FakeState};
use crate::HostChange;
use crate::{
    AttachmentPlan, Cause, ContainerPlan, ContainerRef, EnsureFault, Ensured, FoundState, InstancePlan, InstanceRef,
    Lack, NoAnswer, Observation, Progress, RemovalPlan, Stage, Unwired, WatchScope,
};

impl FakeMachine {
    pub(super) async fn bring_up(
        &self,
        plan: &InstancePlan,
        progress: &Progress,
        starts: bool,
    ) -> Result<Ensured, EnsureFault> {
        let first = plan.containers.first().ok_or(Cause::NoContainer)?;
        if let Some(full) = self.lacks_port(plan) {
            return Err(self.not_wired(plan, full).await);
        }
        for mount in &plan.mounts {
            let make = |state: &mut FakeState| {
                state.volumes.entry(mount.volume).or_default();
            };
            self.change("make a volume", None, make).await?;
        }
        if starts {
            self.start(plan, first).await?;
        }
        let process = self.process(plan)?;
        progress.until_admitted().await;
        self.change("wire", None, |state| wire(state, plan, process)).await?;
        if starts {
            for container in plan.containers.iter().skip(1) {
                self.start(plan, container).await?;
            }
        }
        let is_still = || self.ask("find", Some(&first.engine), |state| runs_as(state, plan, process));
        if !is_still().await? {
            return Err(ended(plan));
        }
        EnsureFault::of_pending(&plan.attachments)?;
        progress.reach(Stage::Awaiting);
        self.await_answer(plan, process).await?;
        Ok(Ensured {
            containers: self.references(plan),
        })
    }

    async fn start(&self, plan: &InstancePlan, container: &ContainerPlan) -> Result<(), Cause> {
        let mut is_there = true;
        let effect = |state: &mut FakeState| {
            let exists = state.containers.contains_key(&(plan.id, container.name.clone()));
            is_there = exists || state.image_id(&container.engine, &container.spec.image).is_some();
            if is_there {
                start(state, plan, container);
            }
        };
        self.change("start", Some(&container.engine), effect).await?;
        match is_there {
            true => Ok(()),
            false => Err(Cause::Engine(EngineError::ImageMissing {
                image: container.spec.image.clone(),
            })),
        }
    }

    fn process(&self, plan: &InstancePlan) -> Result<u64, EnsureFault> {
        let state = self.state();
        match state.first(plan.id) {
            Some(first) if first.state == FoundState::Running => Ok(first.process),
            Some(_) => Err(ended(plan)),
            None => Err(EnsureFault::from(EngineError::Failed {
                verb: "keep",
                subject: format!("instance {}", plan.id),
                reason: "it was removed while it was brought up".to_owned(),
            })),
        }
    }

    fn lacks_port(&self, plan: &InstancePlan) -> Option<NetworkError> {
        let state = self.state();
        for attachment in &plan.attachments {
            let bridge = attachment.bridge.clone();
            let has_port = state.attachments.contains_key(&attachment.id);
            match state.free_ports(&bridge) {
                None => return Some(NetworkError::BridgeMissing { bridge }),
                Some(0) if !has_port => return Some(NetworkError::BridgeFull { bridge }),
                Some(_) if !has_port && !attachment.may_take_port => {
                    return Some(NetworkError::BridgeFull { bridge });
                }
                Some(_) => {}
            }
        }
        None
    }

    async fn not_wired(&self, plan: &InstancePlan, source: NetworkError) -> EnsureFault {
        let passes = !matches!(source, NetworkError::BridgeFull { .. });
        if passes && plan.patient {
            let fate = Unwired::Left;
            return EnsureFault::NotWired { fate, source };
        }
        let engine = plan.containers.first().map(|container| container.engine.as_str());
        let stop = |state: &mut FakeState| {
            let own = state.containers.iter_mut().filter(|((id, _), _)| *id == plan.id);
            own.for_each(|(_, container)| container.state = FoundState::Exited);
        };
        let fate = match self.change("stop", engine, stop).await {
            Ok(()) => Unwired::Stopped,
            Err(fault) => Unwired::NotStopped(fault.text()),
        };
        EnsureFault::NotWired { fate, source }
    }

    /// Waits for the answer for as long as the process runs.
    async fn await_answer(&self, plan: &InstancePlan, process: u64) -> Result<(), EnsureFault> {
        let Some(ready) = plan.readiness else { return Ok(()) };
        let began = Instant::now();
        let address = plan.attachments.first().and_then(|attachment| attachment.address);
        loop {
            if !runs_as(&self.state(), plan, process) {
                return Err(ended(plan));
            }
            if self.answers_now(plan) {
                return Ok(());
            }
            let left = ready.within.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(EnsureFault::Silent {
                    address: address.unwrap_or(std::net::Ipv6Addr::UNSPECIFIED),
                    port: ready.port,
                    within: ready.within,
                    runs: true,
                    source: NoAnswer::TimedOut,
                });
            }
            self.crash_points().pass().await;
            let _ = timeout(left.min(self.until_answer(plan)), self.changed()).await;
            // Time must pass, or a machine that changes all the time would keep us here.
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn answers_now(&self, plan: &InstancePlan) -> bool {
        self.until_answer(plan).is_zero()
    }

    /// How long until the instance answers.
    fn until_answer(&self, plan: &InstancePlan) -> Duration {
        let state = self.state();
        let Some(first) = state.first(plan.id) else {
            return Duration::MAX;
        };
        if state.silent.contains(&first.spec.image) {
            return Duration::from_secs(3600);
        }
        // Each start takes its own time.
        let mut random = super::Random::new(first.process ^ state.settings.seed);
        let after = random.within(state.settings.answers_within);
        after.saturating_sub(first.started.elapsed())
    }

    fn references(&self, plan: &InstancePlan) -> Vec<ContainerRef> {
        let state = self.state();
        let reference = |container: &ContainerPlan| {
            let found = state.containers.get(&(plan.id, container.name.clone()));
            ContainerRef {
                reference: found.map(|found| found.reference.clone()),
                ..plan.container(container)
            }
        };
        plan.containers.iter().map(reference).collect()
    }

    pub(super) async fn take_away(&self, plan: &RemovalPlan) -> Vec<Cause> {
        if self.state().keeps {
            let refusal = EngineError::Failed {
                verb: "remove",
                subject: "instance".to_owned(),
                reason: "the machine keeps everything".to_owned(),
            };
            return vec![refusal.into()];
        }
        let mut causes = Vec::new();
        for container in plan.containers.iter().rev() {
            let key = (container.instance, container.name.clone());
            let removed = self.change("remove", Some(&container.engine), move |state| {
                if let Some(removed) = state.containers.remove(&key) {
                    state.report_instance(&removed.engine, key.0);
                }
            });
            causes.extend(removed.await.err());
        }
        let unwired = self.change("unwire", None, |state| {
            for id in &plan.attachments {
                state.attachments.remove(id);
            }
            for route in &plan.routes {
                if state.our_routes().contains(route) {
                    state.drop_route(&route.key());
                }
            }
            for host_end in &plan.host_ends {
                let id = host_end.strip_prefix("or").and_then(|id| id.parse().ok());
                id.map(|id| state.attachments.remove(&id));
            }
            state.report(&WatchScope::Networks, &HostChange::PortFreed);
        });
        causes.extend(unwired.await.err());
        causes
    }

    pub(super) async fn halt(&self, plan: &RemovalPlan) -> Vec<Cause> {
        let mut causes = Vec::new();
        for container in plan.containers.iter().rev() {
            let key = (container.instance, container.name.clone());
            let stopped = self.change("stop", Some(&container.engine), move |state| {
                if let Some(stopped) = state.containers.get_mut(&key) {
                    stopped.state = FoundState::Exited;
                    let engine = stopped.engine.clone();
                    state.report_instance(&engine, key.0);
                }
            });
            causes.extend(stopped.await.err());
        }
        let unwired = self.change("unwire", None, |state| {
            for id in &plan.attachments {
                state.attachments.remove(id);
            }
            for route in &plan.routes {
                if state.our_routes().contains(route) {
                    state.drop_route(&route.key());
                }
            }
            state.report(&WatchScope::Networks, &HostChange::PortFreed);
        });
        causes.extend(unwired.await.err());
        causes
    }

    pub(super) async fn observe(&self, instance: &InstanceRef) -> Result<Observation, Cause> {
        let engine = instance.containers.first().map(|container| container.engine.as_str());
        self.ask("find", engine, |state| observation(state, instance)).await
    }
}

fn start(state: &mut FakeState, plan: &InstancePlan, container: &ContainerPlan) {
    let key = (plan.id, container.name.clone());
    // The others are in the network namespace of the process that the first one is now.
    let network = match container.name.is_main() {
        true => None,
        false => state.first(plan.id).map(|first| first.process),
    };
    let runs = state
        .containers
        .get(&key)
        .is_some_and(|found| found.state == FoundState::Running && found.network == network);
    if runs && !plan.restart {
        return;
    }
    if let Some(found) = state.containers.get_mut(&key)
        && found.state == FoundState::Paused
    {
        found.state = FoundState::Running;
        return;
    }
    state.starts += 1;
    let process = state.starts;
    let own = plan.mounts.iter().filter(|mount| mount.container == container.name);
    let mounted = own.map(|mount| mount.volume).collect();
    let container = state.containers.entry(key).or_insert_with(|| FakeContainer {
        engine: container.engine.clone(),
        reference: format!("{}-{process}", plan.id),
        state: FoundState::Created,
        process,
        started: Instant::now(),
        spec: container.spec.clone(),
        volumes: mounted,
        files: Default::default(),
        network,
    });
    container.network = network;
    container.process = process;
    container.state = FoundState::Running;
    container.started = Instant::now();
    let engine = container.engine.clone();
    state.report_instance(&engine, plan.id);
}

fn wire(state: &mut FakeState, plan: &InstancePlan, process: u64) {
    for attachment in &plan.attachments {
        // A bridge that is gone or full by now is seen by the next observation.
        let has_port = state.attachments.contains_key(&attachment.id);
        if !has_port && state.free_ports(&attachment.bridge).unwrap_or(0) == 0 {
            continue;
        }
        let wired = FakeAttachment {
            instance: plan.id,
            bridge: attachment.bridge.clone(),
            address: attachment.address,
            process,
            isolated: attachment.isolated,
            routed: attachment.routed.clone(),
        };
        state.attachments.insert(attachment.id, wired);
        for route in attachment.routes() {
            // A bridge that is gone by now is seen by the next observation.
            let _ = state.set_route(&route);
        }
    }
}

fn runs_as(state: &FakeState, plan: &InstancePlan, process: u64) -> bool {
    let first = state.first(plan.id);
    first.is_some_and(|first| first.process == process && first.state == FoundState::Running)
}

fn ended(plan: &InstancePlan) -> EnsureFault {
    EnsureFault::Ended {
        container: ContainerKey::main(plan.id),
        code: None,
    }
}

pub(super) fn observation(state: &FakeState, instance: &InstanceRef) -> Observation {
    for (place, container) in instance.containers.iter().enumerate() {
        let without = |lack| Observation::without(instance, place, lack);
        match state
            .containers
            .get(&(instance.id, container.name.clone()))
            .map(|found| found.state)
        {
            None => return without(Lack::Absent),
            Some(FoundState::Created) => return without(Lack::Stopped { code: None }),
            Some(FoundState::Exited) => return without(Lack::Stopped { code: Some(0) }),
            Some(FoundState::Paused) => return Observation::Paused,
            Some(FoundState::Running) => {}
        }
    }
    wiring(state, instance)
}

/// What is seen without asking an engine.
pub(super) fn wiring(state: &FakeState, instance: &InstanceRef) -> Observation {
    let first = state.containers.get(&(instance.id, ContainerName::MAIN));
    for attachment in &instance.attachments {
        match state.attachments.get(&attachment.id) {
            Some(found) if found.bridge != attachment.bridge => return Observation::Unwired,
            Some(found) if first.is_none_or(|first| first.process != found.process) => return Observation::Unwired,
            Some(found) if found.isolated != attachment.isolated => return Observation::Flawed(Flaw::OtherIsolation),
            Some(found) if attachment.address.is_some() && found.address != attachment.address => {
                return Observation::Flawed(Flaw::NoAddress);
            }
            Some(_) => {}
            None => return Observation::Unwired,
        }
    }
    let routes = state.our_routes();
    let mut wanted = instance.attachments.iter().flat_map(AttachmentPlan::routes);
    if !wanted.all(|route| routes.contains(&route)) {
        return Observation::Flawed(Flaw::NoRoute);
    }
    Observation::wired(&instance.attachments)
}
