//! A daemon's way to a fake machine.

mod dialed;
mod ended;
mod listing;

use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, TryStreamExt, stream};
use orchestrator_doctor::{Fix, PolicyFacts};
use orchestrator_plugin::{Capabilities, EngineError, Id};
use orchestrator_runtime::usage::VolumeUsage;
use tokio::sync::mpsc;

use self::ended::Done;
use super::images::failed;
use super::{FakeFilter, FakeMachine, FakeState, verbs};
use crate::{
    AdoptFault, Applied, BridgePlan, ByteStream, Capacity, Cause, ContainerRef, Depth, DialPlan, DialStream, DiskUse,
    Ensured, Examination, ExamineRequest, ExecRequest, ExecSession, Host, HostCapabilities, HostCapability, HostChange,
    HostError, Image, ImageFacts, InstancePlan, InstanceRef, ListRequest, Listed, LogRequest, NetworkChange,
    NetworkPart, Observation, ObservedBridge, Output, OutputStream, PolicyCounts, PolicyItem, Progress, PullProgress,
    PullRequest, RemovalPlan, Stats, WatchScope,
};

/// A daemon's way to a fake machine.
#[derive(Debug, Clone)]
pub struct FakeHost {
    name: String,
    machine: FakeMachine,
}

impl FakeHost {
    pub(super) fn new(name: &str, machine: FakeMachine) -> Self {
        Self {
            name: name.to_owned(),
            machine,
        }
    }

    async fn running<T>(
        &self,
        container: &ContainerRef,
        verb: &'static str,
        look: impl FnOnce(&super::FakeContainer) -> T,
    ) -> Result<T, Cause> {
        let key = (container.instance, container.name.clone());
        let found = self.machine.ask(verb, Some(&container.engine), |state| {
            state.containers.get(&key).map(look)
        });
        found.await?.ok_or_else(|| {
            Cause::Engine(EngineError::NotRunning {
                verb,
                subject: container.instance.to_string(),
            })
        })
    }
}

#[async_trait]
impl Host for FakeHost {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> HostCapabilities {
        let state = self.machine.state();
        let can = |one: &HostCapability| *one != HostCapability::Policy || state.filter != FakeFilter::Absent;
        HostCapabilities {
            host: HostCapability::ALL.into_iter().filter(can).collect(),
            engines: state
                .engines
                .keys()
                .map(|name| (name.clone(), Capabilities::all()))
                .collect(),
        }
    }

    fn capacity(&self) -> Capacity {
        self.machine.state().capacity
    }

    async fn ensure(&self, plan: &InstancePlan, progress: &Progress) -> Result<Ensured, HostError> {
        let _call = self.machine.call("ensure");
        Ok(self.machine.bring_up(plan, progress, true).await?)
    }

    async fn adopt(&self, plan: &InstancePlan, progress: &Progress) -> Result<Ensured, HostError> {
        let _call = self.machine.call("adopt");
        if self.machine.state().first(plan.id).is_none() {
            return Err(AdoptFault::NotHere(plan.id).into());
        }
        Ok(self
            .machine
            .bring_up(plan, progress, false)
            .await
            .map_err(AdoptFault::from)?)
    }

    async fn remove(&self, plan: &RemovalPlan) -> Result<(), HostError> {
        let _call = self.machine.call("remove");
        let causes = self.machine.take_away(plan).await;
        match causes.is_empty() {
            true => Ok(()),
            false => Err(HostError::Remove {
                instance: plan.id,
                causes,
            }),
        }
    }

    async fn stop(&self, plan: &RemovalPlan) -> Result<(), HostError> {
        let _call = self.machine.call("stop");
        let causes = self.machine.halt(plan).await;
        match causes.is_empty() {
            true => Ok(()),
            false => Err(HostError::Stop {
                instance: plan.id,
                causes,
            }),
        }
    }

    async fn see(&self, instance: &InstanceRef, depth: Depth) -> Result<Observation, HostError> {
        let _call = self.machine.call("see");
        let seen = match depth {
            Depth::Whole => self.machine.observe(instance).await,
            Depth::Inside => {
                self.machine
                    .ask("look", None, |state| verbs::wiring(state, instance))
                    .await
            }
        };
        // What cannot be asked is unknown.
        Ok(seen.unwrap_or(Observation::Unknown))
    }

    async fn list(&self, request: &ListRequest, answers: mpsc::Sender<Listed>) -> Result<(), HostError> {
        let _call = self.machine.call("list");
        let mut asked = FuturesUnordered::<futures_util::future::BoxFuture<'_, Listed>>::new();
        for engine in &request.engines {
            asked.push(Box::pin(self.list_engine(engine)));
        }
        if request.attachments {
            asked.push(Box::pin(self.list_attachments()));
        }
        for bridge in &request.ports_of {
            asked.push(Box::pin(self.count_ports(bridge)));
        }
        for bridge in &request.bridges {
            asked.push(Box::pin(self.look_for_bridge(bridge)));
        }
        if request.made_bridges {
            let made = self.machine.ask("list", None, FakeState::made_bridges);
            asked.push(Box::pin(async { Listed::MadeBridges(made.await) }));
        }
        if request.routes {
            let routes = self
                .machine
                .ask("list", None, |state| state.our_routes().into_iter().collect());
            asked.push(Box::pin(async { Listed::Routes(routes.await) }));
        }
        if request.forwarding {
            let forwards = self.machine.ask("list", None, |state| state.forwards);
            asked.push(Box::pin(async { Listed::Forwarding(forwards.await) }));
        }
        while let Some(answer) = asked.next().await {
            if answers.send(answer).await.is_err() {
                return Err(HostError::List {
                    host: self.name.clone(),
                    source: Cause::Unheeded,
                });
            }
        }
        Ok(())
    }

    async fn describe(
        &self,
        container: &ContainerRef,
        prefix: &str,
    ) -> Result<Option<BTreeMap<String, String>>, HostError> {
        let _call = self.machine.call("describe");
        let key = (container.instance, container.name.clone());
        let facts = self.machine.ask("inspect", Some(&container.engine), |state| {
            let container = state.containers.get(&key)?;
            let environment = container.spec.environment.iter();
            Some(
                environment
                    .filter(|(name, _)| name.starts_with(prefix))
                    .map(|(name, value)| (name.clone(), value.clone()))
                    .collect(),
            )
        });
        facts.await.map_err(|source| HostError::Describe {
            instance: container.instance,
            source,
        })
    }

    async fn apply(
        &self,
        part: &NetworkPart,
        from: u64,
        to: u64,
        change: &NetworkChange,
    ) -> Result<Applied, HostError> {
        let _call = self.machine.call("apply");
        let applied = self.machine.bring_networks(part, from, to, change).await;
        applied.map_err(|(subject, source)| HostError::Apply {
            host: self.name.clone(),
            subject,
            source,
        })
    }

    async fn policy_counts(&self) -> Result<PolicyCounts, HostError> {
        let _call = self.machine.call("policy_counts");
        let counts = self
            .machine
            .ask("policy_counts", None, |state| state.policy_counts.clone());
        counts.await.map_err(|source| HostError::PolicyCounts {
            host: self.name.clone(),
            source,
        })
    }

    async fn teardown(&self) -> Result<Vec<String>, HostError> {
        let _call = self.machine.call("teardown");
        let mut gone = Vec::new();
        let effect = |state: &mut FakeState| gone = state.teardown();
        let changed = self.machine.change("teardown", None, effect).await;
        changed.map_err(|source| HostError::Teardown {
            host: self.name.clone(),
            causes: vec![source],
        })?;
        Ok(gone)
    }

    async fn examine(&self, _request: &ExamineRequest) -> Result<Examination, HostError> {
        let _call = self.machine.call("examine");
        let found = self.machine.ask("examine", None, FakeState::examined).await;
        found.map_err(|source| HostError::Examine {
            host: self.name.clone(),
            source,
        })
    }

    async fn compare_policy(&self, wanted: &[PolicyItem]) -> Result<PolicyFacts, HostError> {
        let _call = self.machine.call("compare_policy");
        let compared = self.machine.ask("compare_policy", None, |state| state.compared(wanted));
        compared.await.map_err(|source| HostError::Examine {
            host: self.name.clone(),
            source,
        })
    }

    async fn mend(&self, fix: &Fix) -> Result<Vec<String>, HostError> {
        let _call = self.machine.call("mend");
        let effect = |state: &mut FakeState| state.mended.push(fix.clone());
        let mended = self.machine.change("mend", None, effect).await;
        mended.map_err(|source| HostError::Mend {
            host: self.name.clone(),
            source,
        })?;
        Ok(vec![format!("{fix:?}")])
    }

    async fn see_bridge(&self, plan: &BridgePlan, _groups: &[Ipv6Addr]) -> Result<Option<ObservedBridge>, HostError> {
        let _call = self.machine.call("see_bridge");
        let observed = self.machine.ask("look", None, |state| state.observe_bridge(plan)).await;
        observed.map_err(|source| HostError::SeeBridge {
            host: self.name.clone(),
            bridge: plan.name.clone(),
            source,
        })
    }

    async fn watch(&self, scope: WatchScope, changes: mpsc::Sender<HostChange>) -> HostError {
        let _call = self.machine.call("watch");
        HostError::Watch {
            host: self.name.clone(),
            source: self.machine.report_to(&scope, &changes).await,
        }
    }

    async fn dial(&self, plan: &DialPlan) -> Result<Box<dyn DialStream>, HostError> {
        let _call = self.machine.call("dial");
        self.connect(plan).await.map_err(|source| HostError::Dial {
            instance: plan.id,
            source,
        })
    }

    async fn exec(&self, container: &ContainerRef, request: &ExecRequest) -> Result<ExecSession, HostError> {
        let _call = self.machine.call("exec");
        let text = Bytes::from(request.command.join(" "));
        let started = self.running(container, "exec", |_| ()).await;
        started.map_err(|source| HostError::Exec {
            instance: container.instance,
            source,
        })?;
        Ok(ExecSession {
            input: Box::pin(tokio::io::sink()),
            output: Box::pin(stream::iter([Ok(Output::Stdout(text))])),
            control: Arc::new(Done),
        })
    }

    async fn logs(&self, container: &ContainerRef, _request: &LogRequest) -> Result<OutputStream, HostError> {
        let _call = self.machine.call("logs");
        if self.machine.state().logs_hang {
            std::future::pending::<()>().await;
        }
        let line = |found: &super::FakeContainer| Bytes::from(format!("start {}\n", found.process));
        let line = self
            .running(container, "read", line)
            .await
            .map_err(|source| HostError::Logs {
                instance: container.instance,
                source,
            })?;
        Ok(Box::pin(stream::iter([Ok(Output::Stdout(line))])))
    }

    async fn stats(&self, container: &ContainerRef) -> Result<Stats, HostError> {
        let _call = self.machine.call("stats");
        let stats = |found: &super::FakeContainer| Stats {
            cpu: found.started.elapsed(),
            memory: 1 << 20,
            pids: Some(1),
        };
        self.running(container, "measure", stats)
            .await
            .map_err(|source| HostError::Stats {
                instance: container.instance,
                source,
            })
    }

    async fn disk(&self, container: &ContainerRef) -> Result<DiskUse, HostError> {
        let _call = self.machine.call("disk");
        let disk = |found: &super::FakeContainer| DiskUse {
            bytes: found.files.values().map(|content| content.len() as u64).sum(),
            limit: None,
        };
        self.running(container, "measure", disk)
            .await
            .map_err(|source| HostError::Stats {
                instance: container.instance,
                source,
            })
    }

    async fn files(&self, container: &ContainerRef, path: &Path) -> Result<ByteStream, HostError> {
        let _call = self.machine.call("files");
        let content = |found: &super::FakeContainer| found.files.get(path).cloned().unwrap_or_default();
        let content = self
            .running(container, "copy", content)
            .await
            .map_err(|source| HostError::Files {
                instance: container.instance,
                source,
            })?;
        Ok(Box::pin(stream::iter([Ok(content)])))
    }

    async fn put_files(
        &self,
        container: &ContainerRef,
        directory: &Path,
        archive: ByteStream,
    ) -> Result<(), HostError> {
        let _call = self.machine.call("put_files");
        let copied = async {
            let chunks: Vec<Bytes> = archive.try_collect().await?;
            let key = (container.instance, container.name.clone());
            let effect = |state: &mut FakeState| {
                if let Some(found) = state.containers.get_mut(&key) {
                    found.files.insert(directory.to_owned(), chunks.concat().into());
                }
            };
            self.machine.change("copy", Some(&container.engine), effect).await
        };
        copied.await.map_err(|source| HostError::Files {
            instance: container.instance,
            source,
        })
    }

    async fn remove_volume(&self, volume: Id) -> Result<(), HostError> {
        let _call = self.machine.call("remove_volume");
        let remove = |state: &mut FakeState| drop(state.volumes.remove(&volume));
        let removed = self.machine.change("remove a volume", None, remove).await;
        removed.map_err(|source| HostError::RemoveVolume { volume, source })
    }

    async fn measure_volume(&self, volume: Id) -> Result<Option<VolumeUsage>, HostError> {
        let _call = self.machine.call("measure_volume");
        let measured = self.machine.ask("measure a volume", None, |state| {
            let content = state.volumes.get(&volume)?;
            Some(VolumeUsage {
                bytes: content.len() as u64,
                limit: state.volume_limits.get(&volume).copied(),
                obstacle: None,
            })
        });
        measured
            .await
            .map_err(|source| HostError::MeasureVolume { volume, source })
    }

    async fn export_volume(&self, volume: Id) -> Result<ByteStream, HostError> {
        let _call = self.machine.call("export_volume");
        let content = self
            .machine
            .ask("read a volume", None, |state| state.volumes.get(&volume).cloned());
        let content = content
            .await
            .map_err(|source| HostError::ExportVolume { volume, source })?;
        Ok(Box::pin(stream::iter(content.map(Ok))))
    }

    async fn find_image(&self, engine: &str, image: &str) -> Result<ImageFacts, HostError> {
        let _call = self.machine.call("find_image");
        let found = self.machine.image(engine, image).await;
        found.map_err(failed(engine, "find an image"))
    }

    async fn images(&self, engine: &str) -> Result<Vec<Image>, HostError> {
        let _call = self.machine.call("images");
        let listed = self.machine.all_images(engine).await;
        listed.map_err(failed(engine, "list images"))
    }

    async fn load_images(&self, engine: &str, archive: ByteStream) -> Result<Vec<Image>, HostError> {
        let _call = self.machine.call("load_images");
        let loaded = async {
            let chunks: Vec<Bytes> = archive.try_collect().await?;
            let name = String::from_utf8_lossy(&chunks.concat()).into_owned();
            let effect = |state: &mut FakeState| {
                let key = (engine.to_owned(), name.clone());
                state.images.insert(key, format!("sha256:{name}"));
            };
            self.machine.change("load images", Some(engine), effect).await?;
            self.machine.all_images(engine).await
        };
        loaded.await.map_err(failed(engine, "load images"))
    }

    async fn pull_image(
        &self,
        engine: &str,
        request: &PullRequest,
        progress: mpsc::Sender<PullProgress>,
    ) -> Result<Image, HostError> {
        let _call = self.machine.call("pull_image");
        drop(progress);
        let name = request.reference.clone();
        let id = format!("sha256:{name}");
        let effect = |state: &mut FakeState| {
            state.images.insert((engine.to_owned(), name.clone()), id.clone());
        };
        let pulled = self.machine.change("fetch an image", Some(engine), effect).await;
        pulled.map_err(failed(engine, "fetch an image"))?;
        Ok(Image {
            id,
            names: vec![name],
            ..Image::default()
        })
    }

    async fn remove_image(&self, engine: &str, image: &str) -> Result<(), HostError> {
        let _call = self.machine.call("remove_image");
        let removed = self.machine.forget_image(engine, image).await;
        removed.map_err(failed(engine, "remove an image"))
    }

    async fn export(&self, instance: &InstanceRef) -> Result<ByteStream, HostError> {
        let _call = self.machine.call("export");
        let exported = async {
            let first = instance.containers.first().ok_or(Cause::NoContainer)?;
            self.running(first, "export", |found| found.files.clone()).await
        };
        let files = exported.await.map_err(|source| HostError::Export {
            instance: instance.id,
            source,
        })?;
        Ok(Box::pin(stream::iter(files.into_values().map(Ok))))
    }
}
