//! Records what somebody deploys.

use std::collections::BTreeSet;
use std::net::Ipv6Addr;

use super::rows::column;
use super::{Apart, KEPT_VERSIONS, MOST_SERVICES, PRUNE_VERSIONS, event, operations, read};
use crate::batch::Batch;
use crate::connection::{execute, fetch_optional, statements};
use crate::templates::record_version;
use crate::writer::Write;
use crate::{Store, StoreError, reservations};
use orchestrator_model::{
    EventKind, Operation, OperationKind, RecordedService, ServiceState, Timestamp, service_template,
};

statements! {
    COUNT = "select count(*) from services";
    PUT = "insert into services (name, generation, version, good_version, instances, oldest_first, state, paused, reason,
            failures, failed_at, given_up, created, changed, changed_by)
        values ($1, $2, $3, null, $4, 0, 'active', null, null, 0, null, null, $5, $5, $6)
        on conflict (name) do update set generation = excluded.generation, version = excluded.version,
            instances = excluded.instances, oldest_first = 0, state = 'active', reason = null,
            failures = 0, failed_at = null, given_up = null,
            changed = excluded.changed, changed_by = excluded.changed_by";
    INSERT_VERSION = "insert into service_versions (service, version, spec, template_version, created, made_by)
        values ($1, $2, $3, $4, $5, $6)";
    RELABEL = "update service_slots set version = $3 where service = $1 and version = $2 and state = 'wanted'";
}

/// What somebody deploys.
#[derive(Debug, Clone)]
pub struct NewDeploy {
    /// The service.
    pub name: String,
    /// Why it is deployed.
    pub kind: OperationKind,
    /// What is deployed, as JSON.
    pub spec: String,
    /// The keys of the template of its instances, as JSON.
    pub template: String,
    /// The number of instances; `None` for one for each client.
    pub instances: Option<u32>,
    /// The generation of the service that the caller has read; `None` if there was no such service.
    pub seen: Option<u64>,
    /// Whether instances of the version before are as those of this version would be, so that they stay.
    pub keeps_instances: bool,
    /// The rule that other services must pass; `None` where it wants nothing for itself.
    pub apart: Option<Apart>,
    /// The addresses that it wants for itself: no client may have one of them reserved.
    pub listens: BTreeSet<Ipv6Addr>,
    /// What changes, for people.
    pub detail: String,
}

/// What was deployed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployed {
    /// The service, as it is recorded now.
    pub service: RecordedService,
    /// The operation that can be waited for.
    pub operation: Operation,
}

impl Store {
    /// Records a new version of a service, or its first one, with its event and its operation.
    ///
    /// # Errors
    ///
    /// [`StoreError::ServiceChanged`] when the service has another generation than the caller has read; [`StoreError::Taken`]
    /// when somebody else has what it wants for itself; [`StoreError::TooManyServices`]; when the database is unreachable.
    pub async fn deploy_service(
        &self,
        new: NewDeploy,
        at: Timestamp,
        by: Option<String>,
    ) -> Result<Deployed, StoreError> {
        self.write(Deploy { new, at, by }).await
    }
}

struct Deploy {
    new: NewDeploy,
    at: Timestamp,
    by: Option<String>,
}

impl Deploy {
    /// The service as it will be, if it is still as the caller has read it.
    async fn planned(&self, batch: &mut Batch<'_>) -> Result<(Option<u64>, RecordedService), StoreError> {
        let new = &self.new;
        let present = read::find(&mut batch.tx, &new.name).await?;
        let generation = present.as_ref().map(|present| present.generation);
        if generation != new.seen {
            return Err(StoreError::ServiceChanged {
                name: new.name.clone(),
                generation: generation.unwrap_or_default(),
                expected: new.seen.unwrap_or_default(),
            });
        }
        if present.is_none() {
            let count = fetch_optional!(&mut batch.tx, "count the services", (i64,), COUNT)?;
            let count = count
                .and_then(|(count,)| usize::try_from(count).ok())
                .unwrap_or_default();
            if count >= MOST_SERVICES {
                return Err(StoreError::TooManyServices);
            }
        }
        self.compare(batch).await?;
        let before = present.as_ref().map(|present| present.version);
        let last = read::versions(&mut batch.tx, &new.name)
            .await?
            .first()
            .map_or(0, |last| last.version);
        let service = RecordedService {
            name: new.name.clone(),
            generation: generation.unwrap_or_default() + 1,
            version: last + 1,
            good_version: present.as_ref().and_then(|present| present.good_version),
            instances: new.instances,
            oldest_first: false,
            state: ServiceState::Active,
            paused: present.as_ref().and_then(|present| present.paused),
            reason: None,
            failures: 0,
            failed_at: None,
            given_up: None,
            created: present.map_or(self.at, |present| present.created),
            changed: self.at,
            by: self.by.clone(),
        };
        Ok((before, service))
    }

    /// Refuses it if somebody else has what it wants for itself.
    async fn compare(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        if let Some(apart) = &self.new.apart {
            apart.compare_rest(&mut batch.tx, Some(&self.new.name)).await?;
        }
        for address in &self.new.listens {
            if let Some(link) = reservations::link_of_address(&mut batch.tx, *address).await? {
                return Err(StoreError::Taken(format!(
                    "{address} is reserved for a client of link {link}; take another address, or remove the reservation first"
                )));
            }
        }
        Ok(())
    }

    async fn put(&self, batch: &mut Batch<'_>, service: &RecordedService) -> Result<(), StoreError> {
        let (generation, version) = (column(service.generation)?, column(service.version)?);
        let (name, by) = (service.name.as_str(), self.by.as_deref());
        let template = service_template(name, service.version);
        let template_version = record_version(batch, &template, &self.new.template, self.at, by).await?;
        let template_version = column(template_version)?;
        let count = service.instances.map(i64::from);
        execute!(
            &mut batch.tx,
            "record a service",
            PUT,
            name,
            generation,
            version,
            count,
            self.at.0,
            by,
        )?;
        execute!(
            &mut batch.tx,
            "record a version of a service",
            INSERT_VERSION,
            name,
            version,
            self.new.spec.as_str(),
            template_version,
            self.at.0,
            by,
        )
        .map(drop)
    }
}

impl Write for Deploy {
    type Output = Deployed;
    const DOING: &'static str = "record a service";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Deployed, StoreError> {
        let (before, service) = self.planned(batch).await?;
        self.put(batch, &service).await?;
        let name = service.name.as_str();
        if let Some(before) = before.filter(|_| self.new.keeps_instances) {
            let (before, version) = (column(before)?, column(service.version)?);
            execute!(
                &mut batch.tx,
                "keep the instances of a service",
                RELABEL,
                name,
                before,
                version
            )?;
        }
        let by = self.by.as_deref();
        let operation = operations::begin(batch, self.new.kind, &service, self.at, by).await?;
        let detail = format!("version {}: {}", service.version, self.new.detail);
        batch
            .append_event(event(EventKind::ServiceDeployed, name, detail, self.at, by))
            .await?;
        let oldest = column(service.version)? - KEPT_VERSIONS;
        execute!(
            &mut batch.tx,
            "delete old versions of a service",
            PRUNE_VERSIONS,
            name,
            oldest
        )?;
        Ok(Deployed { service, operation })
    }
}
