//! The record of services in memory: the same rules as those of the store.

use async_trait::async_trait;
use orchestrator_model::{
    Event, Operation, OperationKind, OperationState, Origin, RecordedService, RecordedTemplate, ServiceSlot,
    ServiceState, ServiceVersion, service_template,
};
use orchestrator_reconcile::services::ServiceRecords;
use orchestrator_service::ServiceSpec;
use orchestrator_settings::Hidden;
use orchestrator_store::{RollOutcome, ServiceChange, ServiceSituation, ServiceUpdate, Waits};
use tokio::sync::broadcast;

use super::*;

/// What is recorded of services.
#[derive(Debug, Default)]
pub(crate) struct Services {
    pub(crate) all: BTreeMap<String, RecordedService>,
    pub(crate) versions: BTreeMap<String, Vec<ServiceVersion>>,
    pub(crate) templates: BTreeMap<String, String>,
    pub(crate) slots: BTreeMap<String, BTreeMap<u32, ServiceSlot>>,
    pub(crate) operations: Vec<Operation>,
    /// The largest number of slots that one update changed.
    pub(crate) largest: usize,
    epoch: u64,
}

impl Services {
    fn end(&mut self, service: &str, state: OperationState, detail: Option<&str>) {
        let running = self.operations.iter_mut().filter(|one| one.service == service);
        for operation in running.filter(|one| one.state == OperationState::Running) {
            (operation.state, operation.ended) = (state, Some(now()));
            operation.detail = detail.map(str::to_owned);
        }
    }

    fn begin(&mut self, kind: OperationKind, service: &RecordedService) {
        self.end(&service.name, OperationState::Replaced, None);
        let number = u8::try_from(self.operations.len()).unwrap_or(u8::MAX);
        self.operations.push(Operation {
            id: Id::from_bytes([0xe, 0, 0, 0, 0, number]),
            kind,
            service: service.name.clone(),
            version: service.version,
            generation: service.generation,
            state: OperationState::Running,
            detail: None,
            created: now(),
            ended: None,
            by: None,
        });
    }
}

fn event(kind: EventKind, service: &str) -> NewEvent {
    NewEvent {
        service: Some(service.to_owned()),
        ..NewEvent::new(now(), kind)
    }
}

impl Memory {
    /// Sends the events that were committed since the last time to those who listen.
    pub(super) fn send(&self) {
        let mut state = self.state();
        let count = state.events.len();
        let first = std::mem::replace(&mut state.sent, count);
        for (id, new) in (1..).zip(&state.events).skip(first) {
            let new = new.clone();
            // Nobody may listen.
            let _ = self.sender.send(Event {
                id,
                at: new.at,
                kind: new.kind,
                link: new.link,
                client: new.client,
                instance: new.instance,
                host: new.host,
                service: new.service,
                leased: new.leased,
                detail: new.detail,
                by: new.by,
            });
        }
    }

    /// The templates that services are made from.
    pub(crate) fn service_templates(&self) -> Vec<RecordedTemplate> {
        let state = self.state();
        let template = |(name, spec): (&String, &String)| RecordedTemplate {
            name: name.clone(),
            origin: Origin::Api,
            version: 1,
            spec: spec.clone(),
            changed: now(),
            by: None,
        };
        state.services.templates.iter().map(template).collect()
    }

    /// An operator deploys a service. `keeps_instances`: those of the version before are as those of this one would be.
    pub(crate) fn deploy(&self, kind: OperationKind, spec: &ServiceSpec, keeps_instances: bool) {
        let mut state = self.state();
        let services = &mut state.services;
        let before = services.all.get(&spec.name).cloned();
        let version = services.versions.get(&spec.name).map_or(0, Vec::len) as u64 + 1;
        let service = RecordedService {
            name: spec.name.clone(),
            generation: before.as_ref().map_or(0, |before| before.generation) + 1,
            version,
            good_version: before.as_ref().and_then(|before| before.good_version),
            instances: spec.count(),
            oldest_first: false,
            state: ServiceState::Active,
            paused: before.as_ref().and_then(|before| before.paused),
            reason: None,
            failures: 0,
            failed_at: None,
            given_up: None,
            created: now(),
            changed: now(),
            by: None,
        };
        let new = ServiceVersion {
            service: spec.name.clone(),
            version,
            spec: spec.written(Hidden::Nothing).to_string(),
            template_version: 1,
            created: now(),
            by: None,
        };
        services.versions.entry(spec.name.clone()).or_default().push(new);
        let template = spec.template.written(Hidden::Nothing).to_string();
        services
            .templates
            .insert(service_template(&spec.name, version), template);
        if let Some(before) = before.filter(|_| keeps_instances) {
            let slots = services.slots.entry(spec.name.clone()).or_default();
            let same = |slot: &&mut ServiceSlot| {
                slot.version == before.version && slot.state == orchestrator_model::SlotState::Wanted
            };
            slots.values_mut().filter(same).for_each(|slot| slot.version = version);
        }
        services.begin(kind, &service);
        services.all.insert(spec.name.clone(), service);
        state.events.push(event(EventKind::ServiceDeployed, &spec.name));
        drop(state);
        self.send();
    }

    /// An operator changes a service.
    pub(crate) fn change(&self, name: &str, change: ServiceChange) {
        let mut state = self.state();
        let Some(service) = state.services.all.get_mut(name) else {
            return;
        };
        if service.state == ServiceState::Removing {
            return;
        }
        service.generation += 1;
        let (kind, operation) = match change {
            ServiceChange::Scale {
                instances,
                oldest_first,
            } => {
                (service.instances, service.oldest_first) = (Some(instances), oldest_first);
                (EventKind::ServiceScaled, Some(OperationKind::Scale))
            }
            ServiceChange::Pause => {
                service.paused = Some(now());
                (EventKind::ServicePaused, None)
            }
            ServiceChange::Resume => {
                service.paused = None;
                (EventKind::ServiceResumed, None)
            }
            ServiceChange::Remove => {
                service.state = ServiceState::Removing;
                (EventKind::ServiceRemoving, Some(OperationKind::Remove))
            }
        };
        if matches!(change, ServiceChange::Pause | ServiceChange::Resume) {
            (service.failures, service.failed_at) = (0, None);
        }
        let service = service.clone();
        if let Some(kind) = operation {
            state.services.begin(kind, &service);
        }
        state.events.push(event(kind, name));
        drop(state);
        self.send();
    }

    /// The last operation on a service.
    pub(crate) fn operation(&self, name: &str) -> Option<Operation> {
        let state = self.state();
        let mut all = state.services.operations.iter();
        all.rfind(|operation| operation.service == name).cloned()
    }

    /// Another daemon has the record from now on.
    pub(crate) fn take_over(&self) {
        self.state().services.epoch += 1;
    }
}

impl State {
    fn of_service(&self, service: &RecordedService) -> Vec<Instance> {
        let live = self.instances.values().filter(|one| one.phase != Phase::Removed);
        let own = |one: &&Instance| match service.instances {
            Some(_) => one.owner == Owner::Service(service.name.clone()),
            None => one.slot == Slot::of_service(&service.name),
        };
        live.filter(own).cloned().collect()
    }

    fn situation_of(&self, name: &str) -> Option<ServiceSituation> {
        let services = &self.services;
        let service = services.all.get(name)?.clone();
        let slots: Vec<ServiceSlot> = services
            .slots
            .get(name)
            .into_iter()
            .flat_map(BTreeMap::values)
            .cloned()
            .collect();
        let is_used = |version: &&ServiceVersion| {
            version.version == service.version
                || Some(version.version) == service.good_version
                || slots.iter().any(|slot| slot.version == version.version)
        };
        let versions = services.versions.get(name).into_iter().flatten();
        let running = |one: &&Operation| one.service == name && one.state == OperationState::Running;
        Some(ServiceSituation {
            versions: versions.filter(is_used).cloned().collect(),
            operation: services.operations.iter().rfind(running).cloned(),
            instances: self.of_service(&service),
            slots,
            service,
        })
    }

    fn update_service(&mut self, update: ServiceUpdate) -> Result<(), StoreError> {
        let name = update.service.clone();
        let Some(service) = self.services.all.get_mut(&name) else {
            return Err(StoreError::NoSuchService(name));
        };
        if service.generation != update.generation {
            return Err(StoreError::ServiceChanged {
                generation: service.generation,
                expected: update.generation,
                name,
            });
        }
        if let Some(failures) = update.failures {
            (service.failures, service.failed_at) = (failures.in_a_row, failures.last);
        }
        if let Some(Waits(detail)) = update.waits {
            let running = self.services.operations.iter_mut().filter(|one| one.service == name);
            let running = running.filter(|one| one.state == OperationState::Running);
            running.for_each(|operation| operation.detail.clone_from(&detail));
        }
        self.services.largest = self.services.largest.max(update.slots.len());
        let mut failed = None;
        match update.outcome {
            None => {}
            Some(RollOutcome::Good { version }) => {
                (service.good_version, service.reason) = (Some(version), None);
                self.events.push(event(EventKind::ServiceRolled, &name));
            }
            Some(RollOutcome::GaveUp {
                version,
                back_to,
                reason,
            }) => {
                service.generation += 1;
                service.version = back_to.unwrap_or(version);
                service.given_up = match back_to {
                    Some(_) => None,
                    None => Some(version),
                };
                if back_to.is_some() {
                    service.failures = 0;
                }
                service.reason = Some(reason.clone());
                failed = Some(reason);
                self.events.push(event(EventKind::ServiceRolledBack, &name));
            }
        }
        if let Some(reason) = failed {
            self.services.end(&name, OperationState::Failed, Some(&reason));
        }
        let slots = self.services.slots.entry(name.clone()).or_default();
        for change in update.slots {
            match change.gone {
                true => drop(slots.remove(&change.slot.number)),
                false => drop(slots.insert(change.slot.number, change.slot)),
            }
            self.events.extend(change.event);
        }
        if update.settled {
            self.services.end(&name, OperationState::Done, None);
        }
        Ok(())
    }

    fn forget_service(&mut self, name: &str) -> bool {
        let Some(service) = self.services.all.get(name).cloned() else {
            return true;
        };
        if service.state != ServiceState::Removing || !self.of_service(&service).is_empty() {
            return false;
        }
        self.services.all.remove(name);
        self.services.versions.remove(name);
        self.services.slots.remove(name);
        self.services.end(name, OperationState::Done, None);
        self.events.push(event(EventKind::ServiceRemoved, name));
        true
    }
}

#[async_trait]
impl ServiceRecords for Memory {
    async fn services(&self) -> Result<Vec<RecordedService>, StoreError> {
        self.read("list the services", |state| {
            state.services.all.values().cloned().collect()
        })
        .await
    }

    async fn service_situation(&self, name: &str) -> Result<Option<ServiceSituation>, StoreError> {
        self.read("read a service", |state| state.situation_of(name)).await
    }

    async fn update_service(&self, update: ServiceUpdate) -> Result<(), StoreError> {
        self.write("record the slots of a service", |state| state.update_service(update))
            .await
    }

    async fn forget_service(&self, name: &str, _: Timestamp) -> Result<bool, StoreError> {
        self.write("forget a service", |state| Ok(state.forget_service(name)))
            .await
    }

    async fn wanting(&self, link: &str) -> Result<Vec<Wanting>, StoreError> {
        Records::wanting(self, link).await
    }

    fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }

    fn first_index(&self) -> u64 {
        self.state().services.epoch << 26
    }
}
