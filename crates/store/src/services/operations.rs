//! Operations as rows.

use std::sync::Arc;

use super::rows::{OperationRow, column};
use crate::batch::Batch;
use crate::connection::{Tx, execute, fetch_all, fetch_optional, statements};
use crate::page::{Moment, limits};
use crate::text::plain;
use crate::{Store, StoreError};
use orchestrator_model::{Id, Operation, OperationId, OperationKind, OperationState, Page, RecordedService, Timestamp};

statements! {
    FIND = "select id, kind, service, version, generation, state, detail, created, ended, by from operations where id = $1";
    LIST = "select id, kind, service, version, generation, state, detail, created, ended, by from operations
        where (service = $1 or $1 is null) and (state = $2 or $2 is null) and (created, id) > ($3, $4)
        order by created, id limit $5";
    RUNNING = "select id, kind, service, version, generation, state, detail, created, ended, by from operations
        where service = $1 and state = 'running' order by created desc, id desc limit 1";
    INSERT = "insert into operations (id, kind, service, version, generation, state, detail, created, ended, by)
        values ($1, $2, $3, $4, $5, 'running', null, $6, null, $7)";
    END = "update operations set state = $2, detail = $3, ended = $4 where service = $1 and state = 'running'";
    WAIT = "update operations set detail = $2 where service = $1 and state = 'running'";
    // The last ones of a service are kept.
    PRUNE = "delete from operations where service = $1 and state <> 'running' and id not in (
        select o.id from operations o where o.service = $1 order by o.created desc, o.id desc limit 50)";
}

/// Which operations are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperationFilter {
    /// Only those of this service.
    pub service: Option<String>,
    /// Only those that are in this state.
    pub state: Option<OperationState>,
    /// The cursor of an earlier page.
    pub after: Option<String>,
    /// The largest number of rows; [`MAX_LIMIT`](crate::MAX_LIMIT) by default.
    pub limit: Option<u32>,
}

impl Store {
    /// The operation with this id.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn operation(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        let mut tx = self.glance().await?;
        let row = fetch_optional!(&mut tx, "look up an operation", OperationRow, FIND, id.to_string())?;
        row.map(Operation::try_from).transpose()
    }

    /// The operations, the oldest first. The last 50 of each service are kept.
    ///
    /// # Errors
    ///
    /// [`StoreError::BadCursor`]; when the database is unreachable, or a row cannot be read.
    pub async fn operations(&self, filter: OperationFilter) -> Result<Page<Operation>, StoreError> {
        let after = Moment::parse(filter.after.as_deref())?;
        let (limit, more) = limits(filter.limit);
        let rows = fetch_all!(
            &mut self.glance().await?,
            "list operations",
            OperationRow,
            LIST,
            filter.service.as_deref(),
            filter.state.map(OperationState::word),
            after.at,
            after.id.as_str(),
            more,
        )?;
        let found: Result<Vec<Operation>, StoreError> = rows.into_iter().map(Operation::try_from).collect();
        let cursor = |operation: &Operation| Moment::cursor(operation.created.0, operation.id);
        Ok(Page::new(found?, limit, cursor))
    }
}

/// Records that an operation has begun. Those that run on the service are replaced by it.
pub(super) async fn begin(
    batch: &mut Batch<'_>,
    kind: OperationKind,
    service: &RecordedService,
    at: Timestamp,
    by: Option<&str>,
) -> Result<Operation, StoreError> {
    let id = Id::random().map_err(|source| StoreError::Random {
        source: Arc::new(source),
    })?;
    let name = service.name.as_str();
    let replaced = format!("replaced by operation {id}: {kind}");
    end(batch, name, OperationState::Replaced, Some(replaced), at).await?;
    let (version, generation) = (column(service.version)?, column(service.generation)?);
    execute!(
        &mut batch.tx,
        "record an operation",
        INSERT,
        id.to_string(),
        kind.word(),
        name,
        version,
        generation,
        at.0,
        by,
    )?;
    execute!(&mut batch.tx, "delete old operations", PRUNE, name)?;
    Ok(Operation {
        id,
        kind,
        service: service.name.clone(),
        version: service.version,
        generation: service.generation,
        state: OperationState::Running,
        detail: None,
        created: at,
        ended: None,
        by: by.map(str::to_owned),
    })
}

/// Records that the operations that run on a service have ended.
pub(super) async fn end(
    batch: &mut Batch<'_>,
    service: &str,
    state: OperationState,
    detail: Option<String>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let detail = detail.map(plain);
    let word = state.word();
    execute!(&mut batch.tx, "end operations", END, service, word, detail, at.0).map(drop)
}

/// Records what the operation that runs on a service waits for.
pub(super) async fn wait(batch: &mut Batch<'_>, service: &str, detail: Option<String>) -> Result<(), StoreError> {
    let detail = detail.map(plain);
    execute!(
        &mut batch.tx,
        "record what an operation waits for",
        WAIT,
        service,
        detail
    )
    .map(drop)
}

/// The operation that runs on a service.
pub(super) async fn running(tx: &mut Tx<'_>, service: &str) -> Result<Option<Operation>, StoreError> {
    let row = fetch_optional!(tx, "look up an operation", OperationRow, RUNNING, service)?;
    row.map(Operation::try_from).transpose()
}
