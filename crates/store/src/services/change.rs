//! Records what somebody changes of a service that is there.

use super::rows::column;
use super::{Deployed, event, operations, read};
use crate::batch::Batch;
use crate::connection::{execute, statements};
use crate::writer::Write;
use crate::{Store, StoreError};
use orchestrator_model::{EventKind, OperationKind, RecordedService, ServiceState, Timestamp};

statements! {
    SCALE = "update services set generation = $2, instances = $3, oldest_first = $4, changed = $5, changed_by = $6
        where name = $1";
    // What waited for another try need not wait any more.
    PAUSE = "update services set generation = $2, paused = $3, failures = 0, failed_at = null, changed = $4, changed_by = $5 where name = $1";
    REMOVE = "update services set generation = $2, state = 'removing', changed = $3, changed_by = $4 where name = $1";
}

/// A change of a service that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceChange {
    /// Another number of instances.
    Scale {
        /// The number.
        instances: u32,
        /// Whether the oldest instances end first.
        oldest_first: bool,
    },
    /// Nothing is rolled any more.
    Pause,
    /// It is rolled again.
    Resume,
    /// It is removed, with all its instances.
    Remove,
}

impl Store {
    /// Records a change of a service, with its event and, where it can be waited for, its operation. `seen` is the
    /// generation that the caller has read; `None` for any. What changes nothing is not recorded.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchService`]; [`StoreError::ServiceChanged`] when the service has another generation than
    /// `seen`; [`StoreError::ServiceRemoving`] when it is to be anything but removed and is being removed;
    /// [`StoreError::PerClientService`] when the number of instances of a service with one for each client is to
    /// change; when the database is unreachable.
    pub async fn change_service(
        &self,
        name: &str,
        change: ServiceChange,
        seen: Option<u64>,
        at: Timestamp,
        by: Option<String>,
    ) -> Result<(RecordedService, Option<Deployed>), StoreError> {
        let name = name.to_owned();
        let write = Change {
            name,
            change,
            seen,
            at,
            by,
        };
        self.write(write).await
    }
}

struct Change {
    name: String,
    change: ServiceChange,
    seen: Option<u64>,
    at: Timestamp,
    by: Option<String>,
}

impl Change {
    /// The service, if it is still as the caller has read it.
    async fn present(&self, batch: &mut Batch<'_>) -> Result<RecordedService, StoreError> {
        let found = read::find(&mut batch.tx, &self.name).await?;
        let found = found.ok_or_else(|| StoreError::NoSuchService(self.name.clone()))?;
        match self.seen.filter(|seen| *seen != found.generation) {
            None => Ok(found),
            Some(expected) => Err(StoreError::ServiceChanged {
                name: found.name,
                generation: found.generation,
                expected,
            }),
        }
    }

    /// The service as it will be, its event, and the kind of its operation; `None` when nothing changes.
    fn changed(&self, before: &RecordedService) -> Result<Option<Changed>, StoreError> {
        if before.state == ServiceState::Removing && self.change != ServiceChange::Remove {
            return Err(StoreError::ServiceRemoving(self.name.clone()));
        }
        let mut after = RecordedService {
            generation: before.generation + 1,
            changed: self.at,
            by: self.by.clone(),
            ..before.clone()
        };
        let (kind, detail, operation) = match self.change {
            ServiceChange::Scale {
                instances,
                oldest_first,
            } => {
                let Some(count) = before.instances else {
                    return Err(StoreError::PerClientService(self.name.clone()));
                };
                (after.instances, after.oldest_first) = (Some(instances), oldest_first);
                let detail = format!("{instances} instances instead of {count}");
                (EventKind::ServiceScaled, detail, Some(OperationKind::Scale))
            }
            ServiceChange::Pause => {
                after.paused = before.paused.or(Some(self.at));
                (EventKind::ServicePaused, "nothing is rolled any more".to_owned(), None)
            }
            ServiceChange::Resume => {
                after.paused = None;
                (EventKind::ServiceResumed, "it is rolled again".to_owned(), None)
            }
            ServiceChange::Remove => {
                after.state = ServiceState::Removing;
                let detail = "it is removed with its instances".to_owned();
                (EventKind::ServiceRemoving, detail, Some(OperationKind::Remove))
            }
        };
        let is_same = (before.instances, before.paused, before.state) == (after.instances, after.paused, after.state);
        Ok((!is_same).then_some(Changed {
            after,
            kind,
            detail,
            operation,
        }))
    }

    async fn put(&self, batch: &mut Batch<'_>, after: &RecordedService) -> Result<(), StoreError> {
        let (name, generation) = (self.name.as_str(), column(after.generation)?);
        let (at, by) = (self.at.0, self.by.as_deref());
        match self.change {
            ServiceChange::Scale { .. } => {
                let (count, oldest) = (after.instances.map(i64::from), i64::from(after.oldest_first));
                execute!(
                    &mut batch.tx,
                    "scale a service",
                    SCALE,
                    name,
                    generation,
                    count,
                    oldest,
                    at,
                    by
                )?;
            }
            ServiceChange::Pause | ServiceChange::Resume => {
                let paused = after.paused.map(|paused| paused.0);
                execute!(
                    &mut batch.tx,
                    "pause a service",
                    PAUSE,
                    name,
                    generation,
                    paused,
                    at,
                    by
                )?;
            }
            ServiceChange::Remove => {
                execute!(&mut batch.tx, "remove a service", REMOVE, name, generation, at, by)?;
            }
        }
        Ok(())
    }
}

struct Changed {
    after: RecordedService,
    kind: EventKind,
    detail: String,
    operation: Option<OperationKind>,
}

impl Write for Change {
    type Output = (RecordedService, Option<Deployed>);
    const DOING: &'static str = "change a service";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Self::Output, StoreError> {
        let before = self.present(batch).await?;
        let Some(changed) = self.changed(&before)? else {
            let running = match self.change {
                ServiceChange::Pause | ServiceChange::Resume => None,
                _ => operations::running(&mut batch.tx, &self.name).await?,
            };
            let service = before.clone();
            return Ok((before, running.map(|operation| Deployed { service, operation })));
        };
        self.put(batch, &changed.after).await?;
        let by = self.by.as_deref();
        let operation = match changed.operation {
            Some(kind) => Some(operations::begin(batch, kind, &changed.after, self.at, by).await?),
            None => None,
        };
        batch
            .append_event(event(changed.kind, &self.name, changed.detail, self.at, by))
            .await?;
        let service = changed.after.clone();
        Ok((
            changed.after,
            operation.map(|operation| Deployed { service, operation }),
        ))
    }
}
