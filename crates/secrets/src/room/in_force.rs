//! The key that is in force: the one that sealed the witness.

use orchestrator_model::Timestamp;
use orchestrator_store::{SEAL, SealedRows, SealedSecret, Written};

use super::{TRIES, row};
use crate::key::{KeyFile, KeyId, Keys, OpenFault, SealingKey, key_id};
use crate::{Secret, SecretsError};

/// The name of the row that shows with which key all rows are sealed.
pub(crate) const WITNESS: &str = SEAL;

/// The content of the witness. It need not be secret; it only has to open.
const TESTIMONY: &str = "all secrets of this database are sealed with this key";

/// The keys of the file, and the witness that one of them opens.
#[derive(Debug)]
pub(crate) struct InForce {
    keys: Keys,
    key: SealingKey,
    witness: String,
}

impl InForce {
    /// The key that is in force, as the file and the database have it.
    ///
    /// # Errors
    ///
    /// When there is none, or the file does not hold it.
    pub(crate) async fn find(rows: &SealedRows, file: &KeyFile) -> Result<Self, SecretsError> {
        let sealed = rows.secrets().await?;
        Self::of(&sealed, file, read(file).await?)
    }

    /// Like [`find`](Self::find). If nothing is sealed yet, it creates the witness, and the key file if that is
    /// missing.
    pub(super) async fn establish(rows: &SealedRows, file: &KeyFile, at: Timestamp) -> Result<Self, SecretsError> {
        for _ in 0..TRIES {
            let sealed = rows.secrets().await?;
            let keys = read(file).await?;
            if !sealed.is_empty() {
                return Self::of(&sealed, file, keys);
            }
            let keys = match keys {
                Some(keys) => keys,
                None => make(file).await?,
            };
            let key = keys.newest().clone();
            let witness = seal_witness(&key)?;
            match rows.begin_secrets(&witness, at).await? {
                Written::Done => return Ok(Self { keys, key, witness }),
                // Another process was faster.
                Written::Outrun => {}
            }
        }
        Err(SecretsError::Contended {
            doing: "begin to keep secrets",
        })
    }

    fn of(sealed: &[SealedSecret], file: &KeyFile, keys: Option<Keys>) -> Result<Self, SecretsError> {
        if sealed.is_empty() {
            return Err(SecretsError::Nothing);
        }
        let witness = sealed
            .iter()
            .find(|row| row.name == WITNESS)
            .ok_or(SecretsError::NoWitness)?;
        let damaged = |fault| SecretsError::Row {
            name: WITNESS.to_owned(),
            fault,
        };
        let wanted = key_id(&witness.sealed).ok_or(damaged(OpenFault::NotSealed))?;
        let path = || file.path().to_owned();
        let keys = keys.ok_or_else(|| SecretsError::KeyMissing {
            path: path(),
            key: wanted,
            sealed: sealed.len() - 1,
        })?;
        let key = keys.find(wanted).cloned().ok_or_else(|| SecretsError::OtherKey {
            path: path(),
            found: keys.newest().id(),
            wanted,
        })?;
        keys.open(row(WITNESS), &witness.sealed).map_err(damaged)?;
        Ok(Self {
            keys,
            key,
            witness: witness.sealed.clone(),
        })
    }

    /// All keys of the file.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The key that seals new values.
    pub(crate) fn key(&self) -> &SealingKey {
        &self.key
    }

    /// The sealed text of the witness.
    pub(crate) fn witness(&self) -> &str {
        &self.witness
    }
}

/// The witness of a key.
pub(crate) fn seal_witness(key: &SealingKey) -> Result<String, SecretsError> {
    key.seal(row(WITNESS), &Secret::from(TESTIMONY.to_owned()))
}

/// Reads the keys of the file on another thread, because a disk may be slow.
pub(crate) async fn read(file: &KeyFile) -> Result<Option<Keys>, SecretsError> {
    let file = file.clone();
    blocking(move || Ok(file.read()?)).await
}

/// Creates the key file, unless another process has created it meanwhile.
async fn make(file: &KeyFile) -> Result<Keys, SecretsError> {
    let file = file.clone();
    blocking(move || {
        let lock = file.lock()?;
        if let Some(keys) = lock.file().read()? {
            return Ok(keys);
        }
        let keys = Keys::one(SealingKey::generate()?);
        lock.write(&keys)?;
        let (key, file) = (keys.newest().id(), file.path().display());
        tracing::info!(%key, %file, "made the sealing key; keep a copy of the file apart from the backups");
        Ok(keys)
    })
    .await
}

/// Runs a function that waits for a disk on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SecretsError> + Send + 'static,
) -> Result<T, SecretsError> {
    let done = tokio::task::spawn_blocking(work).await;
    // The function does not panic, and only a runtime that ends cancels it.
    done.unwrap_or(Err(SecretsError::Contended {
        doing: "use the key file",
    }))
}

/// The key that the secrets in the database are sealed with, once the key file has opened their witness. Makes nothing.
///
/// # Errors
///
/// [`SecretsError::Nothing`] while nothing is sealed; when the file does not hold the key.
pub async fn find_key(rows: &SealedRows, file: &KeyFile) -> Result<KeyId, SecretsError> {
    Ok(InForce::find(rows, file).await?.key().id())
}
