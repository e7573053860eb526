//! Replaces the sealing key by a new one.
//!
//! ```text
//!                 file        rows      who opens the rows after SIGKILL here
//!   begin         old         old       old
//!   both keys     new, old    old       old, the second entry
//!   resealed      new, old    new       new, the first entry
//!   old dropped   new         new       new
//! ```
//!
//! The rows say which key is in force, never the file. A rotation that was interrupted before the rows were resealed is
//! taken up again with the same new key; after that, its old key is dropped by the next rotation.

use orchestrator_model::Timestamp;
use orchestrator_store::{Resealed, SealedRows, Written};

use crate::key::{KeyFile, KeyFileLock, KeyId, Keys, SealingKey};
use crate::room::{InForce, TRIES, WITNESS, blocking, row, seal_witness};
use crate::{Secret, SecretsError};

/// The result of a rotation of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RotatedKey {
    /// The key that was in force.
    pub from: KeyId,
    /// The key that is in force now.
    pub to: KeyId,
    /// The number of secrets that it seals.
    pub secrets: usize,
}

/// Seals all secrets with a new key, which takes the place of the old one in the key file.
///
/// It may be interrupted at any point and repeated. A daemon may run meanwhile. Backups from before need the old key
/// file.
///
/// # Errors
///
/// When the key file does not open the secrets, or cannot be written; when the database is unreachable; when a secret
/// does not open. The old key stays in force then, unless the database went away in the middle of its commit.
pub async fn rotate_key(rows: &SealedRows, file: &KeyFile, at: Timestamp) -> Result<RotatedKey, SecretsError> {
    let file = file.clone();
    let lock = blocking(move || Ok(file.lock()?)).await?;
    let step = Rotation::begin(rows, &lock).await?;
    step.keep_both_keys(&lock)?;
    let secrets = step.reseal(rows, &lock, at).await?;
    step.drop_old_key(&lock)?;
    Ok(RotatedKey {
        from: step.old.id(),
        to: step.new.id(),
        secrets,
    })
}

/// A rotation between its old key and its new one. Each step may be the last that happens.
struct Rotation {
    old: SealingKey,
    new: SealingKey,
}

impl Rotation {
    /// Finds the key in force. Takes the new key of an interrupted rotation, or creates one.
    async fn begin(rows: &SealedRows, lock: &KeyFileLock) -> Result<Self, SecretsError> {
        let in_force = InForce::find(rows, lock.file()).await?;
        let (old, newest) = (in_force.key().clone(), in_force.keys().newest().clone());
        let new = if newest == old { SealingKey::generate()? } else { newest };
        Ok(Self { old, new })
    }

    /// Writes both keys to the file, so that either opens its rows from now on.
    fn keep_both_keys(&self, lock: &KeyFileLock) -> Result<(), SecretsError> {
        Ok(lock.write(&Keys::both(self.new.clone(), self.old.clone()))?)
    }

    /// Seals all rows with the new key in one transaction. Returns the number of secrets.
    async fn reseal(&self, rows: &SealedRows, lock: &KeyFileLock, at: Timestamp) -> Result<usize, SecretsError> {
        for _ in 0..TRIES {
            let in_force = InForce::find(rows, lock.file()).await?;
            let sealed = rows.secrets().await?;
            let resealed = sealed.iter().map(|row| self.reseal_one(&row.name, &row.sealed));
            let resealed = resealed.collect::<Result<Vec<_>, _>>()?;
            match rows.reseal(in_force.witness(), resealed, at).await? {
                Written::Done => return Ok(sealed.len() - 1),
                // Somebody kept another secret meanwhile.
                Written::Outrun => {}
            }
        }
        Err(SecretsError::Contended {
            doing: "seal all secrets with a new key",
        })
    }

    fn reseal_one(&self, name: &str, sealed: &str) -> Result<Resealed, SecretsError> {
        let open = |keys: Keys, sealed: &str| -> Result<Secret, SecretsError> {
            keys.open(row(name), sealed).map_err(|fault| SecretsError::Row {
                name: name.to_owned(),
                fault,
            })
        };
        let value = open(Keys::one(self.old.clone()), sealed)?;
        let to = match name {
            WITNESS => seal_witness(&self.new)?,
            _ => self.new.seal(row(name), &value)?,
        };
        // The old key is dropped for what this opens.
        open(Keys::one(self.new.clone()), &to)?;
        Ok(Resealed {
            name: name.to_owned(),
            from: sealed.to_owned(),
            to,
        })
    }

    /// Removes the old key from the file, because nothing is sealed with it any more.
    fn drop_old_key(&self, lock: &KeyFileLock) -> Result<(), SecretsError> {
        Ok(lock.write(&Keys::one(self.new.clone()))?)
    }
}

#[cfg(test)]
mod tests;
