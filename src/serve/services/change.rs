//! What somebody changes of services.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use orchestrator_api::{Deployed, NewImage, ServiceControl, ServiceError, ServiceListed};
use orchestrator_model::{
    Endpoints, Operation, OperationId, OperationKind, OperationState, Page, RecordedService, ServiceState,
};
use orchestrator_service::place::rehearse;
use orchestrator_service::{MOST_INSTANCES, Placement, ServiceSpec};
use orchestrator_settings::{Hidden, Settings};
use orchestrator_store::{NewDeploy, OperationFilter, ServiceChange, ServiceSituation, StoreError};
use serde_json::{Map, Value};
use tokio::sync::{broadcast, watch};

use super::Services;
use super::scale::scaled;

/// How often a change is tried again that another change of the same service came before.
const TRIES: usize = 5;

/// Tries a change again that another change of the service came before, unless the caller holds it to what was read of the
/// service. The last try's failure is the answer.
async fn again<T, F>(expect: Option<u64>, attempt: impl Fn() -> F) -> Result<T, ServiceError>
where
    F: Future<Output = Result<T, ServiceError>>,
{
    for _ in 1..TRIES {
        match attempt().await {
            Err(ServiceError::Store(StoreError::ServiceChanged { .. })) if expect.is_none() => {}
            done => return done,
        }
    }
    attempt().await
}

/// A version that is to be deployed, and what it is held to.
pub(super) struct Wanted {
    pub(super) kind: OperationKind,
    pub(super) spec: ServiceSpec,
    /// Whether all instances are replaced, also where the content is the same.
    pub(super) renews: bool,
}

impl Services {
    /// Deploys a service as `PUT /v1/services/{name}` does: the same once more changes nothing.
    ///
    /// # Errors
    ///
    /// Those of [`ServiceControl::deploy`].
    pub(in crate::serve) async fn put(&self, spec: &ServiceSpec, by: &str) -> Result<Deployed, ServiceError> {
        let wanted = Wanted {
            kind: OperationKind::Deploy,
            spec: spec.clone(),
            renews: false,
        };
        self.deploy_wanted(&wanted, None, false, by).await
    }

    async fn deploy_wanted(
        &self,
        wanted: &Wanted,
        expect: Option<u64>,
        plan: bool,
        by: &str,
    ) -> Result<Deployed, ServiceError> {
        again(expect, || self.try_deploy(wanted, expect, plan, by)).await
    }

    pub(super) async fn try_deploy(
        &self,
        wanted: &Wanted,
        expect: Option<u64>,
        plan: bool,
        by: &str,
    ) -> Result<Deployed, ServiceError> {
        let settings = self.settings.get();
        let name = wanted.spec.name.clone();
        let present = self.store.service_situation(&name).await?;
        let seen = present.as_ref().map(|present| present.service.generation);
        if let Some(expected) = expect.filter(|expected| *expected != seen.unwrap_or_default()) {
            return Err(ServiceError::Store(StoreError::ServiceChanged {
                name,
                generation: seen.unwrap_or_default(),
                expected,
            }));
        }
        let before = present.as_ref().and_then(|present| spec_in_force(present, &settings));
        let mut spec = wanted.spec.clone();
        spec.keep_hidden(before.as_ref()).map_err(|key| {
            ServiceError::Refused(format!("{key} stands for a hidden value, and there is none to keep"))
        })?;
        self.refuse_addresses_in_use(&spec, &settings).await?;
        let apart = self.refuse_taken(&spec, &settings).await?;
        let recorded = present.as_ref().map(|present| &present.service);
        let changes = changes(before.as_ref(), recorded, &spec);
        let is_active = recorded.is_some_and(|recorded| recorded.state == ServiceState::Active);
        if is_active && recorded.is_some_and(|recorded| recorded.instances.is_none() != spec.count().is_none()) {
            return Err(ServiceError::Refused(format!(
                "service {name:?} cannot change between a number of instances and one for each client: all of its instances \
                 would end at once; remove it first, or deploy it under another name"
            )));
        }
        let keeps = before.as_ref().is_some_and(|before| has_same_instances(before, &spec)) && !wanted.renews;
        let running = present.as_ref().and_then(|present| present.operation.clone());
        let mut deployed = Deployed {
            name: name.clone(),
            generation: seen.unwrap_or_default(),
            replaces: !keeps && present.is_some(),
            changes,
            warnings: self.warnings(&spec.placement, spec.count().unwrap_or_default()),
            operation: None,
        };
        if deployed.changes.is_empty() && is_active && !wanted.renews {
            deployed.replaces = false;
            deployed.operation = running.filter(|_| !plan);
            return Ok(deployed);
        }
        if plan {
            return Ok(deployed);
        }
        let new = NewDeploy {
            name,
            kind: wanted.kind,
            spec: spec.written(Hidden::Nothing).to_string(),
            template: spec.template.written(Hidden::Nothing).to_string(),
            instances: spec.count(),
            seen,
            keeps_instances: keeps,
            apart,
            listens: spec.listen.iter().map(|listen| listen.address).collect(),
            detail: format!("image {}", spec.template.main.image),
        };
        let recorded = self
            .store
            .deploy_service(new, self.clock.now(), Some(by.to_owned()))
            .await
            .map_err(refused)?;
        tracing::info!(
            service = recorded.service.name,
            version = recorded.service.version,
            by,
            "service deployed"
        );
        self.catalog.refresh().await;
        deployed.generation = recorded.service.generation;
        deployed.operation = Some(recorded.operation);
        Ok(deployed)
    }

    pub(super) async fn situation(&self, name: &str) -> Result<ServiceSituation, ServiceError> {
        let found = self.store.service_situation(name).await?;
        found.ok_or_else(|| ServiceError::Store(StoreError::NoSuchService(name.to_owned())))
    }

    async fn change(
        &self,
        by: &str,
        name: &str,
        change: ServiceChange,
        seen: Option<u64>,
    ) -> Result<Deployed, ServiceError> {
        let by = Some(by.to_owned());
        let (service, changed) = self
            .store
            .change_service(name, change, seen, self.clock.now(), by)
            .await?;
        Ok(Deployed {
            name: service.name,
            generation: service.generation,
            changes: Vec::new(),
            replaces: false,
            warnings: Vec::new(),
            operation: changed.map(|changed| changed.operation),
        })
    }

    async fn try_rollback(
        &self,
        by: &str,
        name: &str,
        version: Option<u64>,
        expect: Option<u64>,
    ) -> Result<Deployed, ServiceError> {
        let service = self.situation(name).await?.service;
        refuse_removing(&service)?;
        let kept = self.store.service_versions(name).await?;
        let found = kept.iter().find(|kept| match version {
            Some(version) => kept.version == version,
            None => kept.version < service.version,
        });
        let found = found.ok_or_else(|| {
            let kept: Vec<String> = kept.iter().map(|kept| kept.version.to_string()).collect();
            let all = kept.join(", ");
            ServiceError::Refused(format!(
                "service {name} has no such earlier version; the versions kept are {all}"
            ))
        })?;
        let mut spec = Self::read(found, &self.settings.get())?;
        keep_count(&mut spec, &service);
        let wanted = Wanted {
            kind: OperationKind::Rollback,
            spec,
            renews: false,
        };
        let seen = expect.unwrap_or(service.generation);
        self.try_deploy(&wanted, Some(seen), false, by).await
    }

    async fn try_scale(
        &self,
        by: &str,
        name: &str,
        to: &str,
        oldest_first: bool,
        expect: Option<u64>,
    ) -> Result<Deployed, ServiceError> {
        let situation = self.situation(name).await?;
        let service = &situation.service;
        let count = service
            .instances
            .ok_or_else(|| StoreError::PerClientService(name.to_owned()))?;
        let instances = scaled(count, to).map_err(ServiceError::Refused)?;
        if instances > MOST_INSTANCES {
            let reason =
                format!("{instances} instances are more than {MOST_INSTANCES}, which is the most of a service");
            return Err(ServiceError::Refused(reason));
        }
        let change = ServiceChange::Scale {
            instances,
            oldest_first,
        };
        let seen = expect.unwrap_or(service.generation);
        let spec = spec_in_force(&situation, &self.settings.get());
        let mut deployed = self.change(by, name, change, Some(seen)).await?;
        // Fewer than before need no further host.
        if let Some(spec) = spec.filter(|_| instances > count) {
            deployed.warnings = self.warnings(&spec.placement, instances);
        }
        Ok(deployed)
    }

    /// The reasons why instances of a service will wait, though nothing is wrong with it.
    fn warnings(&self, placement: &Placement, count: u32) -> Vec<String> {
        match rehearse(placement, count, &self.reconciled.reachable(&self.hosts.now())) {
            Ok(()) => Vec::new(),
            Err((0, reason)) => vec![format!("its instances wait: {reason}")],
            Err((placed, reason)) => vec![format!(
                "{placed} of {count} instances have a host, the others wait: {reason}"
            )],
        }
    }

    fn listed(situation: ServiceSituation, settings: &Settings) -> ServiceListed {
        let spec = spec_in_force(&situation, settings).map(|spec| spec.written(Hidden::Values));
        ServiceListed {
            spec: match spec {
                Some(Value::Object(keys)) => keys,
                _ => Map::new(),
            },
            situation,
        }
    }
}

/// The version in force, if this program and these settings can read it.
fn spec_in_force(situation: &ServiceSituation, settings: &Settings) -> Option<ServiceSpec> {
    let version = situation.version(situation.service.version)?;
    Services::read(version, settings).ok()
}

/// Whether instances of one version are as those of the other.
fn has_same_instances(before: &ServiceSpec, after: &ServiceSpec) -> bool {
    before.template == after.template
        && before.network == after.network
        && before.ports == after.ports
        && before.placement == after.placement
        // With a virtual address, all that they send goes through this machine.
        && before.listen.is_empty() == after.listen.is_empty()
        && before.count().is_some() == after.count().is_some()
}

/// The keys that change, each with its value before and after. Values of variables and contents of files are hidden.
fn changes(
    before: Option<&ServiceSpec>,
    recorded: Option<&RecordedService>,
    after: &ServiceSpec,
) -> Vec<(String, Option<Value>, Option<Value>)> {
    let keys = |spec: &ServiceSpec, hidden| match spec.written(hidden) {
        Value::Object(keys) => keys,
        _ => Map::new(),
    };
    let shown = |spec: Option<&ServiceSpec>| spec.map(|spec| keys(spec, Hidden::Values)).unwrap_or_default();
    let mut old = before.map(|spec| keys(spec, Hidden::Nothing)).unwrap_or_default();
    let (mut old_shown, new_shown) = (shown(before), shown(Some(after)));
    // Somebody may have scaled it since.
    if let Some(count) = recorded.and_then(|recorded| recorded.instances) {
        old.insert("instances".to_owned(), count.into());
        old_shown.insert("instances".to_owned(), count.into());
    }
    let new = keys(after, Hidden::Nothing);
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let changed = names.into_iter().filter(|name| old.get(*name) != new.get(*name));
    let change = |name: &String| (name.clone(), old_shown.get(name).cloned(), new_shown.get(name).cloned());
    changed.map(change).collect()
}

#[async_trait]
impl ServiceControl for Services {
    fn endpoints(&self) -> watch::Receiver<Arc<Endpoints>> {
        self.endpoints.clone()
    }

    async fn list(&self) -> Result<Vec<ServiceListed>, ServiceError> {
        let settings = self.settings.get();
        let mut all = Vec::new();
        for service in self.store.services().await? {
            // One that was removed meanwhile is left out.
            let found = self.store.service_situation(&service.name).await?;
            all.extend(found.map(|found| Self::listed(found, &settings)));
        }
        Ok(all)
    }

    async fn show(&self, name: &str) -> Result<ServiceListed, ServiceError> {
        Ok(Self::listed(self.situation(name).await?, &self.settings.get()))
    }

    async fn deploy(&self, by: &str, keys: Value, expect: Option<u64>, plan: bool) -> Result<Deployed, ServiceError> {
        let spec = ServiceSpec::read(&keys, &self.settings.get()).map_err(ServiceError::Wrong)?;
        if expect.is_none() && !plan {
            return self.put(&spec, by).await;
        }
        let wanted = Wanted {
            kind: OperationKind::Deploy,
            spec,
            renews: false,
        };
        self.deploy_wanted(&wanted, expect, plan, by).await
    }

    async fn scale(
        &self,
        by: &str,
        name: &str,
        to: &str,
        oldest_first: bool,
        expect: Option<u64>,
    ) -> Result<Deployed, ServiceError> {
        again(expect, || self.try_scale(by, name, to, oldest_first, expect)).await
    }

    async fn bump(
        &self,
        by: &str,
        name: &str,
        image: Option<NewImage>,
        expect: Option<u64>,
        plan: bool,
    ) -> Result<Deployed, ServiceError> {
        again(expect, || self.try_bump(by, name, image.as_ref(), expect, plan)).await
    }

    async fn rollback(
        &self,
        by: &str,
        name: &str,
        version: Option<u64>,
        expect: Option<u64>,
    ) -> Result<Deployed, ServiceError> {
        again(expect, || self.try_rollback(by, name, version, expect)).await
    }

    async fn pause(&self, by: &str, name: &str, paused: bool, expect: Option<u64>) -> Result<Deployed, ServiceError> {
        let change = match paused {
            true => ServiceChange::Pause,
            false => ServiceChange::Resume,
        };
        self.change(by, name, change, expect).await
    }

    async fn remove(&self, by: &str, name: &str, expect: Option<u64>) -> Result<Deployed, ServiceError> {
        self.change(by, name, ServiceChange::Remove, expect).await
    }

    async fn operations(&self, filter: OperationFilter) -> Result<Page<Operation>, ServiceError> {
        Ok(self.store.operations(filter).await?)
    }

    async fn operation(&self, id: OperationId) -> Result<Option<Operation>, ServiceError> {
        Ok(self.store.operation(id).await?)
    }

    async fn ended(&self, id: OperationId) -> Result<Option<Operation>, ServiceError> {
        // Subscribed before it is read, so that no end is missed.
        let (mut events, mut settled) = (self.store.subscribe(), self.store.settled());
        loop {
            let found = self.store.operation(id).await?;
            let Some(running) = found.as_ref().filter(|found| found.state == OperationState::Running) else {
                return Ok(found);
            };
            // A commit that was not answered in time tells nobody. Events of others do not put the next look off.
            let look = tokio::time::Instant::now() + super::PAUSE;
            loop {
                let event = tokio::select! {
                    event = events.recv() => event,
                    Ok(()) = settled.changed() => break,
                    () = tokio::time::sleep_until(look) => break,
                };
                match event {
                    Ok(event) if event.service.as_ref() == Some(&running.service) => break,
                    Ok(_) => {}
                    // Events were lost.
                    Err(broadcast::error::RecvError::Lagged(_)) => break,
                    Err(broadcast::error::RecvError::Closed) => return Ok(found),
                }
            }
        }
    }
}

/// The answer to a write that failed: that somebody else has something is no fault of the store.
pub(super) fn refused(fault: StoreError) -> ServiceError {
    match fault {
        StoreError::Taken(reason) => ServiceError::Refused(reason),
        fault => fault.into(),
    }
}

/// Refuses a change of a service that is being removed. A file that is deployed makes it anew.
pub(super) fn refuse_removing(service: &RecordedService) -> Result<(), ServiceError> {
    match service.state {
        ServiceState::Active => Ok(()),
        ServiceState::Removing => Err(StoreError::ServiceRemoving(service.name.clone()).into()),
    }
}

/// An earlier version has as many instances as the service has now.
pub(super) fn keep_count(spec: &mut ServiceSpec, service: &RecordedService) {
    if let (Some(count), Some(_)) = (service.instances, spec.count()) {
        spec.instances = orchestrator_service::Instances::Count(count);
    }
}
