//! Rows of services, and how they are read.

use sqlx::FromRow;

use crate::StoreError;
use crate::text::Columns;
use orchestrator_model::{Operation, RecordedService, ServiceSlot, ServiceVersion, Timestamp};

const SERVICE: Columns = Columns("service");
const VERSION: Columns = Columns("version of a service");
const SLOT: Columns = Columns("slot of a service");
const OPERATION: Columns = Columns("operation");

#[derive(FromRow)]
pub(super) struct ServiceRow {
    name: String,
    generation: i64,
    version: i64,
    good_version: Option<i64>,
    instances: Option<i64>,
    oldest_first: i64,
    state: String,
    paused: Option<i64>,
    reason: Option<String>,
    failures: i64,
    failed_at: Option<i64>,
    given_up: Option<i64>,
    created: i64,
    changed: i64,
    changed_by: Option<String>,
}

impl TryFrom<ServiceRow> for RecordedService {
    type Error = StoreError;

    fn try_from(row: ServiceRow) -> Result<Self, StoreError> {
        let good = row.good_version;
        let count = row.instances;
        Ok(Self {
            name: row.name,
            generation: SERVICE.count("generation", row.generation)?,
            version: SERVICE.count("version", row.version)?,
            good_version: good.map(|good| SERVICE.count("good_version", good)).transpose()?,
            instances: count.map(|count| SERVICE.number("instances", count)).transpose()?,
            oldest_first: row.oldest_first != 0,
            state: SERVICE.parse("state", &row.state)?,
            paused: row.paused.map(Timestamp),
            reason: row.reason,
            failures: SERVICE.number("failures", row.failures)?,
            failed_at: row.failed_at.map(Timestamp),
            given_up: row
                .given_up
                .map(|version| SERVICE.count("given_up", version))
                .transpose()?,
            created: Timestamp(row.created),
            changed: Timestamp(row.changed),
            by: row.changed_by,
        })
    }
}

#[derive(FromRow)]
pub(super) struct VersionRow {
    service: String,
    version: i64,
    spec: String,
    template_version: i64,
    created: i64,
    made_by: Option<String>,
}

impl TryFrom<VersionRow> for ServiceVersion {
    type Error = StoreError;

    fn try_from(row: VersionRow) -> Result<Self, StoreError> {
        Ok(Self {
            service: row.service,
            version: VERSION.count("version", row.version)?,
            spec: row.spec,
            template_version: VERSION.count("template_version", row.template_version)?,
            created: Timestamp(row.created),
            by: row.made_by,
        })
    }
}

#[derive(FromRow)]
pub(super) struct SlotRow {
    pub(super) service: String,
    slot: i64,
    version: i64,
    state: String,
    health: String,
    instance: Option<String>,
    opened: i64,
    since: i64,
    detail: Option<String>,
}

impl TryFrom<SlotRow> for ServiceSlot {
    type Error = StoreError;

    fn try_from(row: SlotRow) -> Result<Self, StoreError> {
        Ok(Self {
            number: SLOT.number("slot", row.slot)?,
            version: SLOT.count("version", row.version)?,
            state: SLOT.parse("state", &row.state)?,
            health: SLOT.parse("health", &row.health)?,
            instance: SLOT.parse_some("instance", row.instance.as_deref())?,
            opened: Timestamp(row.opened),
            since: Timestamp(row.since),
            detail: row.detail,
        })
    }
}

#[derive(FromRow)]
pub(super) struct OperationRow {
    id: String,
    kind: String,
    service: String,
    version: i64,
    generation: i64,
    state: String,
    detail: Option<String>,
    created: i64,
    ended: Option<i64>,
    by: Option<String>,
}

impl TryFrom<OperationRow> for Operation {
    type Error = StoreError;

    fn try_from(row: OperationRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: OPERATION.parse("id", &row.id)?,
            kind: OPERATION.parse("kind", &row.kind)?,
            service: row.service,
            version: OPERATION.count("version", row.version)?,
            generation: OPERATION.count("generation", row.generation)?,
            state: OPERATION.parse("state", &row.state)?,
            detail: row.detail,
            created: Timestamp(row.created),
            ended: row.ended.map(Timestamp),
            by: row.by,
        })
    }
}

/// A number of a version or a generation, as a column has it.
pub(super) fn column(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| SERVICE.bad("version", number))
}
