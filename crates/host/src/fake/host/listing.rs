//! The answers to a listing, a part each.

use std::collections::BTreeMap;

use super::FakeHost;
use crate::{ContainerRef, FoundAttachment, FoundInstance, Listed};

impl FakeHost {
    pub(super) async fn list_engine(&self, engine: &str) -> Listed {
        let listed = self.machine.ask("list", Some(engine), |state| {
            let mut all: BTreeMap<_, FoundInstance> = BTreeMap::new();
            for ((id, name), found) in state.containers.iter().filter(|(_, found)| found.engine == engine) {
                let container = ContainerRef {
                    instance: *id,
                    name: name.clone(),
                    engine: engine.to_owned(),
                    reference: Some(found.reference.clone()),
                };
                let instance = all.entry(*id).or_insert_with(|| FoundInstance {
                    id: *id,
                    containers: Vec::new(),
                });
                match name.is_main() {
                    true => instance.containers.insert(0, (container, found.state)),
                    false => instance.containers.push((container, found.state)),
                }
            }
            all.into_values().collect()
        });
        Listed::Engine {
            engine: engine.to_owned(),
            instances: listed.await,
        }
    }

    pub(super) async fn list_attachments(&self) -> Listed {
        let listed = self.machine.ask("list", None, |state| {
            let found = state.attachments.iter().map(|(id, found)| FoundAttachment {
                attachment: Some(*id),
                instance: Some(found.instance),
                host_end: format!("or{id}"),
                bridge: Some(found.bridge.clone()),
                up: true,
                isolated: found.isolated,
                guarded: true,
            });
            found.collect()
        });
        Listed::Attachments(listed.await)
    }

    pub(super) async fn count_ports(&self, bridge: &str) -> Listed {
        let free = self.machine.ask("list", None, |state| state.free_ports(bridge));
        Listed::Ports {
            bridge: bridge.to_owned(),
            free: free.await,
        }
    }

    pub(super) async fn look_for_bridge(&self, bridge: &str) -> Listed {
        let there = self
            .machine
            .ask("list", None, |state| state.bridges.contains_key(bridge));
        Listed::Bridge {
            bridge: bridge.to_owned(),
            there: there.await,
        }
    }
}
