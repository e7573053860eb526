//! What may use secrets: versions of services, and tokens. Read beside the daemon, too.

use orchestrator_model::RecordedToken;

use super::SealedRows;
use crate::services::{HeldVersion, held_versions};
use crate::{StoreError, tokens};

impl SealedRows {
    /// The version in force of each service, and the one that it goes back to when that fails; and all tokens. Both are as
    /// they are at one moment.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn users(&self) -> Result<(Vec<HeldVersion>, Vec<RecordedToken>), StoreError> {
        let mut tx = self.way.read().await?;
        Ok((held_versions(&mut tx).await?, tokens::all(&mut tx).await?))
    }
}
