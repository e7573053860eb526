//! Finds out which instances were ever recorded.

use std::collections::HashMap;

use super::connection::{fetch_optional, statements};
use super::{Store, StoreError};
use orchestrator_model::InstanceId;

statements! {
    KNOWN = "select k.reference from instances i left join containers k on k.instance = i.id and k.place = 0
        where i.id = $1";
}

impl Store {
    /// The instances of `ids` that were ever recorded, in any phase, each with its last recorded engine reference. An
    /// instance that is missing here was recorded in another database, or in a later state of this one, because
    /// instances are recorded before they are created.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn known_instances(&self, ids: &[InstanceId]) -> Result<HashMap<InstanceId, Option<String>>, StoreError> {
        let mut known = HashMap::new();
        if ids.is_empty() {
            return Ok(known);
        }
        let mut tx = self.snapshot().await?;
        for id in ids {
            let found = fetch_optional!(&mut tx, "look up an instance", (Option<String>,), KNOWN, id.to_string())?;
            known.extend(found.map(|(reference,)| (*id, reference)));
        }
        Ok(known)
    }
}
