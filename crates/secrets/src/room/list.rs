//! Lists the secrets of the room, without any value.

use orchestrator_model::Timestamp;
use orchestrator_store::{SEAL, SealedRows};

use crate::SecretsError;
use crate::key::{KeyId, key_id};

/// One secret, as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// The key that it is sealed with; `None` where the text is damaged.
    pub key: Option<KeyId>,
    /// When it was made.
    pub created: Timestamp,
    /// When a new key sealed it last.
    pub rotated: Option<Timestamp>,
}

impl Listed {
    /// All secrets by name. It needs no key.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn all(rows: &SealedRows) -> Result<Vec<Self>, SecretsError> {
        let secrets = rows.secrets().await?.into_iter().filter(|row| row.name != SEAL);
        let listed = secrets.map(|row| Self {
            key: key_id(&row.sealed),
            name: row.name,
            created: row.created,
            rotated: row.rotated,
        });
        Ok(listed.collect())
    }
}
