//! A plugin for the fake.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use orchestrator_plugin::{
    ByteStream, Capabilities, Capability, Change, Container, ContainerKey, ContainerSpec, Engine, EngineError,
    EngineFacts, ExecRequest, ExecSession, Found, Image, ImageFacts, LogRequest, Mark, NetworkMode, OutputStream,
    PullProgress, PullRequest, Stats,
};
use tokio::sync::{OwnedMutexGuard, mpsc};

use crate::container::{FakeContainer, State};
use crate::hands::take;
use crate::request::{LIMIT, Verb};
use crate::world::Contents;
use crate::{FakeWorld, exec, image, watch};

/// One site's plugin for an engine in memory.
#[derive(Debug)]
pub struct FakeEngine {
    name: String,
    pub(crate) world: FakeWorld,
    pub(crate) mark: Mark,
    /// One lock for each container, for its creation and removal.
    turns: Mutex<HashMap<ContainerKey, Arc<tokio::sync::Mutex<()>>>>,
}

/// The result of creating a container.
enum Created {
    New(String),
    /// A container with that name exists, the caller's or a stranger's.
    Taken {
        is_meant: bool,
    },
}

impl FakeEngine {
    /// The engine `world`, which templates call `name`. What it makes bears `mark`.
    pub fn new(name: impl Into<String>, world: FakeWorld, mark: Mark) -> Self {
        Self {
            name: name.into(),
            world,
            mark,
            turns: Mutex::default(),
        }
    }

    pub(crate) fn require(&self, capability: impl Into<Capabilities>) -> Result<(), EngineError> {
        self.capabilities().require(&self.name, capability.into())
    }

    async fn turn(&self, key: &ContainerKey) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            turns.entry(key.clone()).or_default().clone()
        };
        turn.lock_owned().await
    }

    /// Sends a request about the container that the caller means.
    pub(crate) async fn about<T: Send + 'static>(
        &self,
        verb: Verb,
        container: &Container,
        act: impl FnOnce(&mut Contents, Option<FakeContainer>) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let (site, container) = (self.mark.site, container.clone());
        self.world
            .ask(verb, move |contents| {
                let found = meant(contents, site, &container).into_iter().next();
                act(contents, found)
            })
            .await
    }

    async fn search(&self, verb: Verb, container: &Container) -> Result<Option<FakeContainer>, EngineError> {
        self.about(verb, container, |_, found| Ok(found)).await
    }

    async fn create(
        &self,
        container: &Container,
        spec: &ContainerSpec,
        network: &NetworkMode,
        joined: Option<(String, u32)>,
    ) -> Result<Created, EngineError> {
        let turn = self.turn(&container.key).await;
        let (mark, container, spec, network) = (self.mark, container.clone(), spec.clone(), network.clone());
        self.world
            .ask(Verb::Create, move |contents| {
                // Until it is carried out, nobody removes.
                let _turn = turn;
                let name = container.key.engine_name();
                if let Some(other) = contents.containers.iter().find(|other| other.name == name) {
                    let is_meant = other.is_meant(mark.site, &container);
                    return Ok(Created::Taken { is_meant });
                }
                let made_from = contents.image_id(&spec.image);
                let reference = contents.add(name, Some((mark, &container)), spec);
                if let Some(made) = contents.by_reference(&reference) {
                    made.network = network;
                    made.joined = joined;
                    made.image = made_from;
                }
                Ok(Created::New(reference))
            })
            .await
    }

    /// Starts a container, with its files in place when it was never started.
    async fn start(&self, container: &FakeContainer) -> Result<Found, EngineError> {
        let reference = container.reference.clone();
        if container.state == State::Created && !container.spec.files.is_empty() {
            let of_it = reference.clone();
            self.world
                .ask(Verb::Upload, move |contents| upload(contents, &of_it))
                .await?;
        }
        let of_it = reference.clone();
        let world = self.world.clone();
        self.world
            .ask(Verb::Start, move |contents| {
                let started = contents
                    .start(&of_it)
                    .map_err(|reason| failed("start", &of_it, reason))?;
                world.tell(&started);
                Ok(())
            })
            .await?;
        let found = self.world.ask(Verb::Inspect, move |contents| {
            let found = contents
                .by_reference(&reference)
                .and_then(|container| container.found());
            found.ok_or_else(|| failed("start", &reference, "it was removed while it was starting".to_owned()))
        });
        found.await
    }

    /// Sees to it that a container runs where it belongs. `None` when it had to be removed.
    async fn ensure_runs(
        &self,
        existing: FakeContainer,
        joined: Option<&(String, u32)>,
    ) -> Result<Option<Found>, EngineError> {
        let reference = existing.reference.clone();
        let its_other = existing.joined.as_ref().map(|(with, _)| with);
        if joined.map(|(with, _)| with) != its_other && joined.is_some() {
            self.world
                .ask(Verb::Remove, move |contents| {
                    take(contents, &reference);
                    Ok(())
                })
                .await?;
            return Ok(None);
        }
        if existing.is_alive() && joined.is_some() && existing.joined.as_ref() != joined {
            self.world
                .ask(Verb::Stop, move |contents| {
                    end(contents, &reference);
                    Ok(())
                })
                .await?;
            return self.start(&existing).await.map(Some);
        }
        match existing.state {
            State::Running { .. } => Ok(existing.found()),
            State::Paused { pid } => {
                let resumed = self.world.ask(Verb::Pause, move |contents| {
                    let container = contents.by_reference(&reference);
                    Ok(container.and_then(|container| {
                        container.state = State::Running { pid };
                        container.found()
                    }))
                });
                resumed.await
            }
            State::Created | State::Exited { .. } => self.start(&existing).await.map(Some),
        }
    }

    /// The container whose network is to be shared, with the number of its start.
    async fn namespace_to_join(
        &self,
        container: &Container,
        network: &NetworkMode,
    ) -> Result<Option<(String, u32)>, EngineError> {
        let NetworkMode::Shared(with) = network else {
            return Ok(None);
        };
        let verb = "share a network with";
        if with.key.instance != container.key.instance || with.key.name == container.key.name {
            return Err(EngineError::Refused {
                verb,
                subject: with.key.engine_name(),
                reason: "it is not another container of the same instance".to_owned(),
            });
        }
        let other = self.search(Verb::Inspect, with).await?;
        match other.filter(FakeContainer::is_alive) {
            Some(other) => Ok(Some((other.reference, other.starts))),
            None => Err(EngineError::NotRunning {
                verb,
                subject: with.key.engine_name(),
            }),
        }
    }
}

#[async_trait]
impl Engine for FakeEngine {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        self.world.contents().capabilities
    }

    async fn check(&self) -> Result<EngineFacts, EngineError> {
        let facts = || EngineFacts {
            name: "Fake".to_owned(),
            version: "1".to_owned(),
        };
        self.world.ask(Verb::Describe, move |_| Ok(facts())).await
    }

    async fn check_equipment(&self) -> Result<(), EngineError> {
        self.world.ask(Verb::Describe, |_| Ok(())).await
    }

    async fn check_image(&self, image: &str) -> Result<ImageFacts, EngineError> {
        let image = image.to_owned();
        let facts = self.world.ask(Verb::InspectImage, move |contents| {
            let id = contents.image_id(&image);
            let id = id.ok_or(EngineError::ImageMissing { image })?;
            Ok(ImageFacts {
                id,
                has_health_check: false,
            })
        });
        facts.await
    }

    async fn ensure(
        &self,
        container: &Container,
        spec: &ContainerSpec,
        network: &NetworkMode,
    ) -> Result<Found, EngineError> {
        self.require(spec.needs().with(network.capability()))?;
        let name = container.key.engine_name();
        if let Some(file) = spec.files.iter().find(|file| file.content.bytes().is_none()) {
            return Err(EngineError::Refused {
                verb: "write files into",
                subject: name,
                reason: format!("file {}: its source was not read", file.target.display()),
            });
        }
        let joined = self.namespace_to_join(container, network).await?;
        loop {
            if let Some(existing) = self.search(Verb::List, container).await? {
                match self.ensure_runs(existing, joined.as_ref()).await? {
                    Some(found) => return Ok(found),
                    None => continue,
                }
            }
            self.check_image(&spec.image).await?;
            match self.create(container, spec, network, joined.clone()).await? {
                Created::Taken { is_meant: true } => {}
                Created::Taken { is_meant: false } => {
                    return Err(EngineError::Refused {
                        verb: "create",
                        subject: name,
                        reason: "a container of that name is there and is not ours; remove or rename it".to_owned(),
                    });
                }
                Created::New(reference) => {
                    let made = self.world.contents().by_reference(&reference).cloned();
                    return match made {
                        Some(made) => self.start(&made).await,
                        None => Err(failed(
                            "start",
                            &name,
                            "it was removed while it was starting".to_owned(),
                        )),
                    };
                }
            }
        }
    }

    async fn stop(&self, container: &Container) -> Result<(), EngineError> {
        let world = self.world.clone();
        self.about(Verb::Stop, container, move |contents, found| {
            if let Some(found) = found.filter(FakeContainer::is_alive) {
                end(contents, &found.reference);
                world.tell(&found);
            }
            Ok(())
        })
        .await
    }

    async fn find(&self, container: &Container) -> Result<Option<Found>, EngineError> {
        let found = self.search(Verb::Inspect, container).await?;
        Ok(found.and_then(|container| container.found()))
    }

    async fn remove(&self, container: &Container) -> Result<(), EngineError> {
        let turn = tokio::time::timeout(LIMIT, self.turn(&container.key)).await;
        let _turn = turn.map_err(|_| EngineError::Timeout {
            engine: self.name.clone(),
            verb: "finish creating",
            seconds: LIMIT.as_secs(),
        })?;
        let (site, wanted, world) = (self.mark.site, container.clone(), self.world.clone());
        self.world
            .ask(Verb::Remove, move |contents| {
                let mut references = meant(contents, site, &wanted);
                if wanted.reference.is_none() {
                    // What else bears the mark is a copy.
                    references.truncate(1);
                }
                for container in references {
                    take(contents, &container.reference);
                    world.tell(&container);
                }
                Ok(())
            })
            .await
    }

    async fn list(&self) -> Result<Vec<Found>, EngineError> {
        let site = self.mark.site;
        let listed = self.world.ask(Verb::List, move |contents| {
            let own = contents.containers.iter();
            let own = own.filter(|container| container.mark.as_ref().is_some_and(|(of, _)| *of == site));
            Ok(own.filter_map(FakeContainer::found).collect())
        });
        listed.await
    }

    async fn watch(&self, changes: mpsc::Sender<Change>) -> EngineError {
        watch::watch(self, changes).await
    }

    async fn environment(
        &self,
        container: &Container,
        prefix: &str,
    ) -> Result<Option<BTreeMap<String, String>>, EngineError> {
        self.require(Capability::Environment)?;
        let found = self.search(Verb::Inspect, container).await?;
        let wanted = found.map(|container| container.spec.environment.into_iter());
        Ok(wanted.map(|all| all.filter(|(name, _)| name.starts_with(prefix)).collect()))
    }

    async fn exec(&self, container: &Container, request: &ExecRequest) -> Result<ExecSession, EngineError> {
        self.require(Capability::Exec)?;
        if request.terminal.is_some() {
            self.require(Capability::ExecTerminal)?;
        }
        exec::start(self, container, request).await
    }

    async fn logs(&self, container: &Container, request: &LogRequest) -> Result<OutputStream, EngineError> {
        self.require(Capability::Logs)?;
        exec::logs(self, container, request).await
    }

    async fn stats(&self, container: &Container) -> Result<Stats, EngineError> {
        self.require(Capability::Stats)?;
        let name = container.key.engine_name();
        self.about(Verb::Read, container, move |_, found| {
            match found.is_some_and(|found| found.is_alive()) {
                true => Ok(Stats {
                    cpu: std::time::Duration::from_millis(1),
                    memory: 1 << 20,
                    pids: Some(1),
                }),
                false => Err(not_running("measure", name)),
            }
        })
        .await
    }

    async fn read_files(&self, container: &Container, path: &Path) -> Result<ByteStream, EngineError> {
        self.require(Capability::Copy)?;
        let (name, path) = (container.key.engine_name(), path.to_owned());
        let archive = self.about(Verb::Read, container, move |contents, found| {
            let found = found.ok_or_else(|| not_running("read files of", name.clone()))?;
            let bytes = contents.file(&found, &path);
            let bytes = bytes.ok_or_else(|| EngineError::Refused {
                verb: "read files of",
                subject: name,
                reason: format!("there is no {}", path.display()),
            })?;
            Ok(exec::archive(&path, &bytes))
        });
        let archive = Bytes::from(archive.await?);
        Ok(Box::pin(stream::iter([Ok(archive)])))
    }

    async fn write_files(
        &self,
        container: &Container,
        directory: &Path,
        archive: ByteStream,
    ) -> Result<(), EngineError> {
        self.require(Capability::Copy)?;
        let bytes: Vec<Bytes> = archive.try_collect().await?;
        let (name, directory) = (container.key.engine_name(), directory.to_owned());
        self.about(Verb::Upload, container, move |contents, found| {
            let found = found.ok_or_else(|| not_running("write files into", name))?;
            for (path, content) in exec::unpack(&bytes.concat()) {
                contents.write(&found.reference, &directory.join(path), content);
            }
            Ok(())
        })
        .await
    }

    async fn pause(&self, container: &Container) -> Result<(), EngineError> {
        self.require(Capability::Pause)?;
        let (name, world) = (container.key.engine_name(), self.world.clone());
        self.about(Verb::Pause, container, move |contents, found| {
            let found = found.filter(FakeContainer::is_alive);
            let found = found.ok_or_else(|| not_running("freeze", name))?;
            if let Some(container) = contents.by_reference(&found.reference)
                && let State::Running { pid } = container.state
            {
                container.state = State::Paused { pid };
                world.tell(container);
            }
            Ok(())
        })
        .await
    }

    async fn load_images(&self, archive: ByteStream) -> Result<Vec<Image>, EngineError> {
        self.require(Capability::Images)?;
        image::load(self, archive).await
    }

    async fn pull_image(
        &self,
        request: &PullRequest,
        progress: mpsc::Sender<PullProgress>,
    ) -> Result<Image, EngineError> {
        self.require(Capability::Pull)?;
        image::pull(self, request, progress).await
    }

    async fn images(&self) -> Result<Vec<Image>, EngineError> {
        self.require(Capability::Images)?;
        self.world
            .ask(Verb::ListImages, |contents| Ok(contents.all_images()))
            .await
    }

    async fn remove_image(&self, image: &str) -> Result<(), EngineError> {
        self.require(Capability::Images)?;
        let image = image.to_owned();
        self.world
            .ask(Verb::RemoveImage, move |contents| contents.remove_image(&image))
            .await
    }
}

/// All containers that the caller may mean, the likeliest first.
fn meant(contents: &Contents, site: orchestrator_plugin::SiteId, container: &Container) -> Vec<FakeContainer> {
    let name = container.key.engine_name();
    let all = contents.containers.iter();
    let mut meant: Vec<_> = all.filter(|one| one.is_meant(site, container)).cloned().collect();
    meant.sort_by_key(|one| one.name != name);
    meant
}

fn upload(contents: &mut Contents, reference: &str) -> Result<(), EngineError> {
    let files: Vec<(PathBuf, Vec<u8>)> = match contents.by_reference(reference) {
        Some(container) => {
            let files = container.spec.files.iter();
            files
                .filter_map(|file| Some((file.target.clone(), file.content.bytes()?.to_owned())))
                .collect()
        }
        None => return Err(failed("write files into", reference, "it is gone".to_owned())),
    };
    for (path, bytes) in files {
        contents.write(reference, &path, bytes);
    }
    Ok(())
}

fn end(contents: &mut Contents, reference: &str) {
    if let Some(container) = contents.by_reference(reference) {
        container.state = State::Exited { code: 143 };
    }
}

fn failed(verb: &'static str, subject: &str, reason: String) -> EngineError {
    EngineError::Failed {
        verb,
        subject: subject.to_owned(),
        reason,
    }
}

pub(crate) fn not_running(verb: &'static str, subject: String) -> EngineError {
    EngineError::NotRunning { verb, subject }
}
