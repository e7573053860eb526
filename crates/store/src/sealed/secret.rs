//! Secrets as rows.

use sqlx::FromRow;

use super::{SealedRows, SealedSecret, Written, is_witness};
use crate::StoreError;
use crate::batch::Batch;
use crate::connection::{execute, fetch_all, fetch_optional, statements};
use crate::writer::Write;
use orchestrator_model::Timestamp;

statements! {
    LIST = "select name, sealed, created, rotated from secrets order by name";
    FIND = "select name, sealed, created, rotated from secrets where name = $1";
    BEGIN_WITH = "insert into secrets (name, sealed, created) select 'seal', $1, $2
        where not exists (select 1 from secrets)";
    PUT = "insert into secrets (name, sealed, created) values ($1, $2, $3)
        on conflict (name) do update set sealed = excluded.sealed, created = excluded.created, rotated = null";
    REMOVE = "delete from secrets where name = $1 and name <> 'seal'";
    CLEAR_SECRETS = "delete from secrets";
    CLEAR_CERTIFICATES = "delete from certificates";
    CLEAR_AUTHORITIES = "delete from authorities";
}

#[derive(FromRow)]
struct SecretRow {
    name: String,
    sealed: String,
    created: i64,
    rotated: Option<i64>,
}

impl From<SecretRow> for SealedSecret {
    fn from(row: SecretRow) -> Self {
        Self {
            name: row.name,
            sealed: row.sealed,
            created: Timestamp(row.created),
            rotated: row.rotated.map(Timestamp),
        }
    }
}

impl SealedRows {
    /// All secrets at one moment, by name. The witness of the key is among them, unless there are none.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn secrets(&self) -> Result<Vec<SealedSecret>, StoreError> {
        let mut tx = self.way.read().await?;
        let rows = fetch_all!(&mut tx, "read the secrets", SecretRow, LIST)?;
        Ok(rows.into_iter().map(SealedSecret::from).collect())
    }

    /// The secret of this name.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn secret(&self, name: &str) -> Result<Option<SealedSecret>, StoreError> {
        let mut tx = self.way.read().await?;
        let row = fetch_optional!(&mut tx, "read a secret", SecretRow, FIND, name)?;
        Ok(row.map(SealedSecret::from))
    }

    /// Creates the witness of the key if there are no secrets. [`Written::Outrun`] if there are.
    ///
    /// # Errors
    ///
    /// When the database is unreachable. Two at the same time on PostgreSQL: [`StoreError::Failed`] for the second.
    pub async fn begin_secrets(&self, seal: &str, at: Timestamp) -> Result<Written, StoreError> {
        self.way
            .write(BeginSecrets {
                seal: seal.to_owned(),
                at,
            })
            .await
    }

    /// Stores a secret under its name, and replaces the one before. `seal` is the witness of the key that sealed it.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn put_secret(&self, seal: &str, name: &str, sealed: &str, at: Timestamp) -> Result<Written, StoreError> {
        self.way
            .write(PutSecret {
                seal: seal.to_owned(),
                name: name.to_owned(),
                sealed: sealed.to_owned(),
                at,
            })
            .await
    }

    /// Deletes a secret. Returns whether there was one. The witness of the key stays.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn remove_secret(&self, name: &str) -> Result<bool, StoreError> {
        self.way.write(RemoveSecret { name: name.to_owned() }).await
    }

    /// Deletes all secrets, authorities and certificates, because their key is lost.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn clear(&self) -> Result<(), StoreError> {
        self.way.write(Clear).await
    }
}

struct BeginSecrets {
    seal: String,
    at: Timestamp,
}

impl Write for BeginSecrets {
    type Output = Written;
    const DOING: &'static str = "begin to keep secrets";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Written, StoreError> {
        let seal = self.seal.as_str();
        let made = execute!(&mut batch.tx, "begin to keep secrets", BEGIN_WITH, seal, self.at.0)?;
        Ok(if made == 1 { Written::Done } else { Written::Outrun })
    }
}

struct PutSecret {
    seal: String,
    name: String,
    sealed: String,
    at: Timestamp,
}

impl Write for PutSecret {
    type Output = Written;
    const DOING: &'static str = "keep a secret";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Written, StoreError> {
        if !is_witness(&mut batch.tx, &self.seal).await? {
            return Ok(Written::Outrun);
        }
        put(batch, &self.name, &self.sealed, self.at).await?;
        Ok(Written::Done)
    }
}

/// Inserts or replaces a row. The caller has checked the key.
pub(super) async fn put(batch: &mut Batch<'_>, name: &str, sealed: &str, at: Timestamp) -> Result<(), StoreError> {
    execute!(&mut batch.tx, "keep a secret", PUT, name, sealed, at.0)?;
    Ok(())
}

/// Removes a row, if it is there.
pub(super) async fn remove(batch: &mut Batch<'_>, name: &str) -> Result<bool, StoreError> {
    Ok(execute!(&mut batch.tx, "forget a secret", REMOVE, name)? > 0)
}

struct RemoveSecret {
    name: String,
}

impl Write for RemoveSecret {
    type Output = bool;
    const DOING: &'static str = "forget a secret";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<bool, StoreError> {
        remove(batch, &self.name).await
    }
}

struct Clear;

impl Write for Clear {
    type Output = ();
    const DOING: &'static str = "forget all secrets";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        execute!(&mut batch.tx, "forget all secrets", CLEAR_CERTIFICATES)?;
        execute!(&mut batch.tx, "forget all secrets", CLEAR_AUTHORITIES)?;
        execute!(&mut batch.tx, "forget all secrets", CLEAR_SECRETS)?;
        Ok(())
    }
}
