//! What bears the site's mark, and what is recorded.

use std::collections::{BTreeMap, BTreeSet};

use orchestrator_doctor::{Compared, Fact, FoundMarks, KnownInstance, MarkFacts, Phase, compare_marks};
use orchestrator_host::{ContainerRef, ListRequest, Listed};
use orchestrator_model::{Instance, InstanceId, Phase as Recorded, VolumeState};
use orchestrator_store::{Store, StoreError};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{LIMIT, late};
use crate::serve::control::Ready;

/// Chunks of a list that may queue.
const QUEUE: usize = 16;

/// What was found that bears the mark.
#[derive(Default)]
pub(super) struct Marks {
    found: FoundMarks,
    /// What could not be listed, and why.
    unlisted: Vec<String>,
    /// The containers of each instance.
    pub(super) containers: BTreeMap<InstanceId, Vec<ContainerRef>>,
    /// The interfaces of each instance.
    pub(super) interfaces: BTreeMap<InstanceId, Vec<String>>,
}

impl Marks {
    /// Compares what was found with what was recorded before and after.
    pub(super) fn compare(&self, before: &Compared, volumes: Fact<BTreeSet<String>>, after: &Compared) -> MarkFacts {
        let mut found = self.found.clone();
        let mut unlisted = self.unlisted.clone();
        match volumes {
            Ok(volumes) => found.volumes = Some(volumes),
            Err(reason) => unlisted.push(format!("volumes ({reason})")),
        }
        MarkFacts {
            unlisted,
            ..compare_marks(before, &found, after)
        }
    }

    fn take(&mut self, answer: Listed) {
        match answer {
            Listed::Engine {
                engine,
                instances: Ok(instances),
            } => {
                let all = self.found.containers.entry(engine).or_default();
                for instance in instances {
                    all.insert(instance.id.to_string(), instance.runs());
                    let containers = instance.containers.into_iter().map(|(container, _)| container);
                    self.containers.entry(instance.id).or_default().extend(containers);
                }
            }
            Listed::Engine {
                engine,
                instances: Err(fault),
            } => self
                .unlisted
                .push(format!("containers of engine {engine} ({})", fault.text())),
            Listed::Attachments(Ok(attachments)) => {
                let all = self.found.interfaces.get_or_insert_default();
                for found in attachments {
                    all.insert(found.host_end.clone(), found.instance.map(|id| id.to_string()));
                    if let Some(instance) = found.instance {
                        self.interfaces.entry(instance).or_default().push(found.host_end);
                    }
                }
            }
            Listed::Attachments(Err(fault)) => self.unlisted.push(format!("interfaces ({})", fault.text())),
            _ => {}
        }
    }
}

/// Lists what bears the mark on the host. An engine that does not answer in time is left out, with the reason.
pub(super) async fn list(ready: &Ready, engines: &BTreeMap<String, BTreeSet<String>>) -> Marks {
    let request = ListRequest {
        engines: engines.keys().cloned().collect(),
        attachments: true,
        ..ListRequest::default()
    };
    let (sender, mut answers) = mpsc::channel(QUEUE);
    let mut marks = Marks::default();
    let listing = async {
        let (listed, ()) = tokio::join!(ready.host.list(&request, sender), async {
            while let Some(answer) = answers.recv().await {
                marks.take(answer);
            }
        });
        listed
    };
    match timeout(LIMIT, listing).await {
        Ok(Ok(())) => {}
        Ok(Err(fault)) => marks.unlisted.push(orchestrator_runtime::causes::with_causes(&fault)),
        Err(_elapsed) => {
            let silent = engines
                .keys()
                .filter(|engine| !marks.found.containers.contains_key(*engine));
            let silent: Vec<String> = silent
                .map(|engine| format!("containers of engine {engine} ({})", late()))
                .collect();
            marks.unlisted.extend(silent);
        }
    }
    marks
}

/// What is recorded now.
pub(super) async fn recorded(store: &Store) -> Result<Compared, StoreError> {
    let instances = store.live_instances().await?;
    let is_ready = |id: InstanceId| instances.iter().any(|one| one.id == id && one.phase == Recorded::Ready);
    let volumes = store.volumes().await?.into_iter().map(|volume| {
        let is_held = volume.holder.is_some_and(is_ready) && volume.state == VolumeState::Kept;
        (volume.id.to_string(), is_held && volume.host.is_local())
    });
    Ok(Compared {
        volumes: volumes.collect(),
        instances: instances.iter().map(|one| (one.id.to_string(), known(one))).collect(),
    })
}

fn known(instance: &Instance) -> KnownInstance {
    let is_here = instance.host.as_ref().is_none_or(orchestrator_model::HostId::is_local);
    let is_whole = is_here && instance.phase == Recorded::Ready;
    KnownInstance {
        phase: if is_whole { Phase::Ready } else { Phase::Changing },
        engine: instance
            .containers
            .first()
            .map(|one| one.engine.clone())
            .unwrap_or_default(),
        interfaces: instance.attachments.iter().map(|one| one.host_end()).collect(),
    }
}
