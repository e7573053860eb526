//! Forgets a service of which nothing is left.

use super::{event, operations, read};
use crate::batch::Batch;
use crate::connection::{execute, fetch_optional, statements};
use crate::writer::Write;
use crate::{Store, StoreError};
use orchestrator_model::{EventKind, OperationState, ServiceState, Slot, Timestamp};

statements! {
    // Rows of versions and slots go with it.
    DELETE = "delete from services where name = $1";
    DELETE_SLOTS = "delete from service_slots where service = $1";
    DELETE_VERSIONS = "delete from service_versions where service = $1";
    LIVE = "select count(*) from instances where phase <> 'removed'
        and (owner_kind = 'service' and owner = $1 or slot = $2)";
}

impl Store {
    /// Forgets a service that is being removed and has no live instance any more, with its event, and ends its operation.
    /// Returns whether it is gone.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn forget_service(&self, name: &str, at: Timestamp) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.write(Forget { name, at }).await
    }
}

struct Forget {
    name: String,
    at: Timestamp,
}

impl Write for Forget {
    type Output = bool;
    const DOING: &'static str = "forget a service";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<bool, StoreError> {
        let name = self.name.as_str();
        let Some(found) = read::find(&mut batch.tx, name).await? else {
            return Ok(true);
        };
        let slot = Slot::of_service(name);
        let live = fetch_optional!(&mut batch.tx, "count instances", (i64,), LIVE, name, slot.as_str())?;
        if found.state != ServiceState::Removing || live.is_some_and(|(live,)| live > 0) {
            return Ok(false);
        }
        execute!(&mut batch.tx, "delete the slots of a service", DELETE_SLOTS, name)?;
        execute!(&mut batch.tx, "delete the versions of a service", DELETE_VERSIONS, name)?;
        execute!(&mut batch.tx, "delete a service", DELETE, name)?;
        operations::end(batch, name, OperationState::Done, None, self.at).await?;
        let gone = event(
            EventKind::ServiceRemoved,
            name,
            "nothing of it is left".to_owned(),
            self.at,
            None,
        );
        batch.append_event(gone).await?;
        Ok(true)
    }
}
