//! A plugin for the fake.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use orchestrator_plugin::{
    ByteStream, Capabilities, Capability, Change, Container, ContainerKey, ContainerSpec, DiskUse, Engine, EngineError,
    EngineFacts, ExecRequest, ExecSession, Found, Image, ImageFacts, LogRequest, Mark, NetworkMode, OutputStream,
    PullProgress, PullRequest, Stats,
};
use tokio::sync::{OwnedMutexGuard, mpsc};

use crate::container::{FakeContainer, State};
use crate::hands::take;
use crate::request::{LIMIT, Verb};
use crate::steps::{Created, end, failed};
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

    pub(crate) async fn turn(&self, key: &ContainerKey) -> OwnedMutexGuard<()> {
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

    pub(crate) async fn search(&self, verb: Verb, container: &Container) -> Result<Option<FakeContainer>, EngineError> {
        self.about(verb, container, |_, found| Ok(found)).await
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

    async fn disk(&self, container: &Container) -> Result<DiskUse, EngineError> {
        self.require(Capability::Disk)?;
        match self.find(container).await? {
            // Nobody knows what its files would take: some blocks.
            Some(_) => Ok(DiskUse {
                bytes: 64 << 10,
                limit: None,
            }),
            None => Err(EngineError::NotRunning {
                verb: "measure",
                subject: container.key.engine_name(),
            }),
        }
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

pub(crate) fn not_running(verb: &'static str, subject: String) -> EngineError {
    EngineError::NotRunning { verb, subject }
}
