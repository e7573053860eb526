//! Replaces all sealed secrets in one transaction.

use super::{SealedRows, Written, is_witness};
use crate::StoreError;
use crate::batch::Batch;
use crate::connection::{execute, fetch_all, statements};
use crate::writer::Write;
use orchestrator_model::Timestamp;

statements! {
    HAS = "select name, sealed from secrets order by name";
    RESEAL = "update secrets set sealed = $2, rotated = $3 where name = $1";
}

/// A secret as it was read, and as the new key seals it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resealed {
    /// Its name.
    pub name: String,
    /// The sealed text that was read.
    pub from: String,
    /// The new sealed text.
    pub to: String,
}

impl SealedRows {
    /// Replaces every sealed text, or none. `seal` is the witness of the old key, which is one of the rows.
    /// [`Written::Outrun`] when the rows have changed since they were read.
    ///
    /// # Errors
    ///
    /// When the database is unreachable. Then the change may have been made.
    pub async fn reseal(&self, seal: &str, rows: Vec<Resealed>, at: Timestamp) -> Result<Written, StoreError> {
        self.way
            .write(Reseal {
                seal: seal.to_owned(),
                rows,
                at,
            })
            .await
    }
}

struct Reseal {
    seal: String,
    rows: Vec<Resealed>,
    at: Timestamp,
}

impl Write for Reseal {
    type Output = Written;
    const DOING: &'static str = "seal all secrets with a new key";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Written, StoreError> {
        if !is_witness(&mut batch.tx, &self.seal).await? {
            return Ok(Written::Outrun);
        }
        let there = fetch_all!(&mut batch.tx, "read the secrets", (String, String), HAS)?;
        let mut found: Vec<(&str, &str)> = self.rows.iter().map(|row| (&*row.name, &*row.from)).collect();
        found.sort_unstable();
        let mut there: Vec<(&str, &str)> = there.iter().map(|(name, sealed)| (&**name, &**sealed)).collect();
        there.sort_unstable();
        if there != found {
            return Ok(Written::Outrun);
        }
        for Resealed { name, to, .. } in &self.rows {
            let (name, to) = (name.as_str(), to.as_str());
            execute!(&mut batch.tx, "seal a secret anew", RESEAL, name, to, self.at.0)?;
        }
        Ok(Written::Done)
    }
}
