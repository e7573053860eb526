//! The steps by which the fake creates a container and keeps it running.

use std::path::PathBuf;

use orchestrator_plugin::{Container, ContainerSpec, EngineError, Found, NetworkMode};

use crate::FakeEngine;
use crate::container::{FakeContainer, State};
use crate::hands::take;
use crate::request::Verb;
use crate::world::Contents;

/// The result of creating a container.
pub(crate) enum Created {
    New(String),
    /// A container with that name exists, the caller's or a stranger's.
    Taken {
        is_meant: bool,
    },
}

impl FakeEngine {
    pub(crate) async fn create(
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
    pub(crate) async fn start(&self, container: &FakeContainer) -> Result<Found, EngineError> {
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
    pub(crate) async fn ensure_runs(
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
    pub(crate) async fn namespace_to_join(
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

pub(crate) fn end(contents: &mut Contents, reference: &str) {
    if let Some(container) = contents.by_reference(reference) {
        container.state = State::Exited { code: 143 };
    }
}

pub(crate) fn failed(verb: &'static str, subject: &str, reason: String) -> EngineError {
    EngineError::Failed {
        verb,
        subject: subject.to_owned(),
        reason,
    }
}
