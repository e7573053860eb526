//! Lists everything that bears our mark.

use std::collections::HashMap;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use orchestrator_network::{AttachmentFound, NetworkError};
use orchestrator_plugin::{Found, FoundState as EngineState};
use tokio::sync::mpsc;

use super::LocalHost;
use crate::{Cause, ContainerRef, FoundAttachment, FoundInstance, FoundState, ListRequest, Listed};

impl LocalHost {
    /// Asks for every part side by side, and sends each as soon as it is known.
    pub(super) async fn list_all(&self, request: &ListRequest, answers: &mpsc::Sender<Listed>) -> Result<(), Cause> {
        let mut asked: FuturesUnordered<BoxFuture<'_, Listed>> = FuturesUnordered::new();
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
            asked.push(Box::pin(async { Listed::MadeBridges(self.made_bridges().await) }));
        }
        if request.routes {
            asked.push(Box::pin(async { Listed::Routes(self.found_routes().await) }));
        }
        if request.forwarding {
            asked.push(Box::pin(async { Listed::Forwarding(Ok(self.network().forwards())) }));
        }
        while let Some(answer) = asked.next().await {
            answers.send(answer).await.map_err(|_| Cause::Unheeded)?;
        }
        Ok(())
    }

    pub(super) async fn list_engine(&self, name: &str) -> Listed {
        let listed = async {
            let engine = self.engine(name)?;
            Ok::<_, Cause>(engine.list().await?)
        };
        let instances = listed.await.map(|found| self.by_instance(name, found));
        Listed::Engine {
            engine: name.to_owned(),
            instances,
        }
    }

    /// The containers of each instance, the first one first.
    fn by_instance(&self, engine: &str, found: Vec<Found>) -> Vec<FoundInstance> {
        let mut all: HashMap<_, FoundInstance> = HashMap::new();
        for found in found {
            let id = found.key.instance;
            let first = found.key.name.is_main();
            let state = self.state_of(&found);
            let container = ContainerRef {
                instance: id,
                name: found.key.name,
                engine: engine.to_owned(),
                reference: Some(found.reference),
            };
            let instance = all.entry(id).or_insert_with(|| FoundInstance {
                id,
                containers: Vec::new(),
            });
            // Engines list the oldest first: what comes later under the same name is a copy.
            let begins = first
                && instance
                    .containers
                    .first()
                    .is_none_or(|(other, _)| !other.name.is_main());
            match begins {
                true => instance.containers.insert(0, (container, state)),
                false => instance.containers.push((container, state)),
            }
        }
        all.into_values().collect()
    }

    fn state_of(&self, found: &Found) -> FoundState {
        match &found.state {
            EngineState::Created => FoundState::Created,
            EngineState::Running(running) => {
                if found.key.name.is_main() {
                    self.saw_network(found.key.instance, running.netns());
                }
                FoundState::Running
            }
            EngineState::Paused(_) => FoundState::Paused,
            EngineState::Exited { .. } => FoundState::Exited,
        }
    }

    async fn list_attachments(&self) -> Listed {
        let found = self.network().attachments(&self.alias_prefix()).await;
        let found = found.map(|all| all.into_iter().map(|found| self.attachment(found)).collect());
        Listed::Attachments(found.map_err(Cause::from))
    }

    fn attachment(&self, found: AttachmentFound) -> FoundAttachment {
        FoundAttachment {
            attachment: found.host_interface.strip_prefix("or").and_then(|id| id.parse().ok()),
            instance: self.owner(&found.alias),
            host_end: found.host_interface,
            bridge: found.bridge,
            up: found.up,
            isolated: found.isolated,
            guarded: found.guarded,
        }
    }

    async fn count_ports(&self, bridge: &str) -> Listed {
        let free = match self.network().free_ports(bridge).await {
            Ok(free) => Ok(Some(free)),
            Err(NetworkError::BridgeMissing { .. } | NetworkError::NotABridge { .. }) => Ok(None),
            Err(fault) => Err(fault.into()),
        };
        Listed::Ports {
            bridge: bridge.to_owned(),
            free,
        }
    }

    async fn look_for_bridge(&self, bridge: &str) -> Listed {
        let found = self.network().find_bridge(bridge).await;
        Listed::Bridge {
            bridge: bridge.to_owned(),
            there: found.map(|found| found.is_some()).map_err(Cause::from),
        }
    }
}
