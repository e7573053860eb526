//! Changes that people, engines and the kernel make behind the daemon's back.

use std::time::Duration;

use orchestrator_plugin::{ContainerName, EngineFacts, InstanceId};

use super::state::EngineState;
use super::{FakeBridge, FakeMachine, FakeRoute, FakeState};
use crate::{FoundState, HostChange, NetworkKey, RoutePlan, WatchScope};

impl FakeMachine {
    /// Somebody removes all containers of an instance.
    pub fn remove_by_hand(&self, id: InstanceId) {
        self.by_hand(id, |state| state.containers.retain(|(owner, _), _| *owner != id));
    }

    /// Somebody removes one container of an instance.
    pub fn remove_container_by_hand(&self, id: InstanceId, name: &ContainerName) {
        self.by_hand(id, |state| drop(state.containers.remove(&(id, name.clone()))));
    }

    /// The first process of one container of an instance ends.
    pub fn end_container(&self, id: InstanceId, name: &ContainerName) {
        self.by_hand(id, |state| {
            if let Some(container) = state.containers.get_mut(&(id, name.clone())) {
                container.state = FoundState::Exited;
            }
        });
    }

    /// The first process of an instance ends.
    pub fn end(&self, id: InstanceId) {
        self.by_hand(id, |state| set_state(state, id, FoundState::Exited));
    }

    /// Somebody freezes an instance.
    pub fn pause(&self, id: InstanceId) {
        self.by_hand(id, |state| set_state(state, id, FoundState::Paused));
    }

    /// Somebody restarts an instance: it runs, in a new network namespace.
    pub fn restart_by_hand(&self, id: InstanceId) {
        self.by_hand(id, |state| {
            state.starts += 1;
            let process = state.starts;
            if let Some(container) = state.containers.get_mut(&(id, ContainerName::MAIN)) {
                container.state = FoundState::Running;
                container.process = process;
            }
        });
    }

    /// Somebody removes all rules of the packet filter.
    pub fn flush_policy(&self) {
        self.with(|state| {
            state.policy.clear();
            state.policy_counts.rebuilt += 1;
            state.report(&WatchScope::Policy, &HostChange::Policy);
        });
    }

    /// Somebody removes the host ends of an instance.
    pub fn unwire_by_hand(&self, id: InstanceId) {
        self.with(|state| {
            state.attachments.retain(|_, attachment| attachment.instance != id);
            state.report(&WatchScope::Networks, &HostChange::PortFreed);
            state.report(&WatchScope::Networks, &HostChange::Instance(id));
        });
    }

    /// The engine stops. Its containers run on.
    pub fn stop_engine(&self, engine: &str) {
        self.with(|state| {
            state.engines.insert(engine.to_owned(), EngineState::Down);
            state.break_watches(engine);
        });
    }

    /// The engine takes what it is asked and does not answer.
    pub fn hang_engine(&self, engine: &str) {
        self.with(|state| {
            state.engines.insert(engine.to_owned(), EngineState::Hanging);
            let fails = HostChange::EngineFails {
                engine: engine.to_owned(),
                reason: "it hangs".to_owned(),
                hangs: true,
                again_in: Duration::from_secs(2),
            };
            state.report(&WatchScope::Engine(engine.to_owned()), &fails);
        });
    }

    /// The engine answers again. `lost` ends all its containers, as a restart of an engine without live restore does.
    pub fn start_engine(&self, engine: &str, lost: bool) {
        self.with(|state| {
            let before = state.engines.insert(engine.to_owned(), EngineState::Up);
            if lost {
                let own = state
                    .containers
                    .values_mut()
                    .filter(|container| container.engine == engine);
                own.for_each(|container| container.state = FoundState::Exited);
                state.drop_unattached();
            }
            match before {
                Some(EngineState::Hanging) if !lost => {
                    let answers = HostChange::EngineAnswers {
                        engine: engine.to_owned(),
                    };
                    state.report(&WatchScope::Engine(engine.to_owned()), &answers);
                }
                // It was started anew: whoever watched it sees the end of that, and watches it again.
                _ => state.break_watches(engine),
            }
        });
    }

    /// The bridge goes away with its ports, and the routes that lead through it.
    pub fn remove_bridge(&self, bridge: &str) {
        self.with(|state| {
            state.bridges.remove(bridge);
            state.attachments.retain(|_, attachment| attachment.bridge != bridge);
            // The kernel notifies nobody of these.
            state
                .routes
                .retain(|route| route.plan.via.as_ref().is_none_or(|(_, network)| network != bridge));
            state.report(&WatchScope::Networks, &HostChange::Networks);
            state.report(&WatchScope::Interfaces, &HostChange::Interfaces);
        });
    }

    /// The bridge comes, with so many ports.
    pub fn add_bridge(&self, bridge: &str, ports: usize) {
        self.with(|state| {
            state.set_ports(bridge, ports);
            let up = HostChange::BridgeUp {
                name: bridge.to_owned(),
            };
            state.report(&WatchScope::Networks, &up);
            state.report(&WatchScope::Interfaces, &HostChange::Interfaces);
        });
    }

    /// Somebody changes a bridge.
    pub fn change_bridge(&self, bridge: &str, change: impl FnOnce(&mut FakeBridge)) {
        self.with(|state| {
            if let Some(bridge) = state.bridges.get_mut(bridge) {
                change(bridge);
            }
            state.report(&WatchScope::Interfaces, &HostChange::Interfaces);
        });
    }

    /// Somebody removes a route of ours.
    pub fn remove_route(&self, key: &NetworkKey) {
        self.with(|state| state.drop_route(key));
    }

    /// Somebody else makes a route.
    pub fn add_route_of_another(&self, plan: RoutePlan) {
        self.with(|state| state.routes.push(FakeRoute { plan, ours: false }));
    }

    fn by_hand(&self, id: InstanceId, change: impl FnOnce(&mut FakeState)) {
        self.with(|state| {
            // One that no engine has is reported by all of them.
            let engines: Vec<String> = match state.first(id) {
                Some(first) => vec![first.engine.clone()],
                None => state.engines.keys().cloned().collect(),
            };
            change(state);
            state.drop_unattached();
            engines.iter().for_each(|engine| state.report_instance(engine, id));
        });
    }
}

pub(super) fn up(engine: &str) -> HostChange {
    HostChange::EngineUp {
        engine: engine.to_owned(),
        facts: EngineFacts {
            name: "Fake".to_owned(),
            version: "1".to_owned(),
        },
    }
}

fn set_state(state: &mut FakeState, id: InstanceId, wanted: FoundState) {
    if let Some(container) = state.containers.get_mut(&(id, ContainerName::MAIN)) {
        container.state = wanted;
    }
}
