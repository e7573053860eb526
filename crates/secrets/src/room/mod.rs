//! The room for secrets: secrets by name, as long as its key opens them.

mod in_force;
mod list;
mod name;
mod usage;

use std::sync::{Arc, Mutex, PoisonError};

use orchestrator_model::Timestamp;
use orchestrator_store::{SealedRows, Written};

use crate::key::{KeyFile, KeyId, OpenFault, Place};
use crate::{Secret, SecretsError};
pub use in_force::find_key;
pub(crate) use in_force::{InForce, WITNESS, blocking, seal_witness};
pub use list::Listed;
use name::check_name;
pub use usage::Usage;

/// How often a write is repeated after a conflict with another writer.
pub(crate) const TRIES: usize = 5;

/// The place of a row of the table of secrets.
pub(crate) fn row(name: &str) -> Place<'_> {
    Place {
        purpose: "secrets",
        name,
    }
}

/// The one room for secrets of a daemon. Clones share it.
///
/// Another process may rotate the key at any time. If the key in memory does not open a value, or may not be used for
/// writing any more, the room reads the key file again.
#[derive(Debug, Clone)]
pub struct Room {
    rows: SealedRows,
    file: Arc<KeyFile>,
    in_force: Arc<Mutex<Arc<InForce>>>,
}

impl Room {
    /// Opens the room. The first time, when there is neither a key file nor anything sealed, it makes both.
    ///
    /// # Errors
    ///
    /// [`SecretsError::KeyMissing`] and [`SecretsError::OtherKey`] when the secrets in the database need another key
    /// file. The others when the file or the database cannot be used.
    pub async fn open(rows: SealedRows, file: KeyFile, at: Timestamp) -> Result<Self, SecretsError> {
        let in_force = InForce::establish(&rows, &file, at).await?;
        Ok(Self {
            rows,
            file: Arc::new(file),
            in_force: Arc::new(Mutex::new(Arc::new(in_force))),
        })
    }

    /// Checks that the key file still exists and opens the sealed values. The key in memory is not used.
    ///
    /// # Errors
    ///
    /// Those of [`open`](Self::open).
    pub async fn check(&self, at: Timestamp) -> Result<KeyId, SecretsError> {
        Ok(self.refresh(at).await?.key().id())
    }

    /// The secret of this name.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or the secret does not open.
    pub async fn read(&self, name: &str) -> Result<Option<Secret>, SecretsError> {
        let Some(found) = self.rows.secret(name).await? else {
            return Ok(None);
        };
        let opened = match self.in_force().keys().open(row(name), &found.sealed) {
            Err(OpenFault::NoKey(_)) => {
                let in_force = self.remember(InForce::find(&self.rows, &self.file).await?);
                in_force.keys().open(row(name), &found.sealed)
            }
            opened => opened,
        };
        opened.map(Some).map_err(|fault| SecretsError::Row {
            name: name.to_owned(),
            fault,
        })
    }

    /// Stores a secret under a name, and replaces the one before. It is durable when this returns.
    ///
    /// # Errors
    ///
    /// [`SecretsError::BadName`]; when the database is unreachable. Then the secret may have been stored.
    pub async fn keep(&self, name: &str, secret: &Secret, at: Timestamp) -> Result<(), SecretsError> {
        check_name(name)?;
        for _ in 0..TRIES {
            let in_force = self.in_force();
            let sealed = in_force.key().seal(row(name), secret)?;
            match self.rows.put_secret(in_force.witness(), name, &sealed, at).await? {
                Written::Done => return Ok(()),
                Written::Outrun => drop(self.refresh(at).await?),
            }
        }
        Err(SecretsError::Contended { doing: "keep a secret" })
    }

    /// Deletes a secret. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// [`SecretsError::BadName`]; when the database is unreachable.
    pub async fn forget(&self, name: &str) -> Result<bool, SecretsError> {
        check_name(name)?;
        Ok(self.rows.remove_secret(name).await?)
    }

    pub(crate) fn rows(&self) -> &SealedRows {
        &self.rows
    }

    pub(crate) fn in_force(&self) -> Arc<InForce> {
        // Nothing that holds the lock can panic half-way through a change.
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the key file and the witness again. If somebody has discarded all secrets meanwhile, this starts anew.
    pub(crate) async fn refresh(&self, at: Timestamp) -> Result<Arc<InForce>, SecretsError> {
        Ok(self.remember(InForce::establish(&self.rows, &self.file, at).await?))
    }

    fn remember(&self, in_force: InForce) -> Arc<InForce> {
        let in_force = Arc::new(in_force);
        *self.in_force.lock().unwrap_or_else(PoisonError::into_inner) = in_force.clone();
        in_force
    }
}

#[cfg(test)]
pub(crate) mod tests;
