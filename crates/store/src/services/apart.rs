//! What only one service may have, such as a route: a deployment or a reservation is compared with all other services.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::read::{self, HeldName, HeldVersion};
use crate::StoreError;
use crate::connection::Tx;

/// Says what another service has already; `None` if it has nothing of it.
type Conflict = dyn Fn(&HeldVersion) -> Option<String> + Send + Sync;

/// A rule that the versions of other services must pass: all those in force, and those that their services may go back to.
///
/// The caller compares most of them before the write. The write itself compares those that came meanwhile, in its transaction,
/// so that of two that want the same at once one is refused.
#[derive(Clone)]
pub struct Apart {
    compared: BTreeSet<HeldName>,
    conflict: Arc<Conflict>,
}

impl fmt::Debug for Apart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Apart").finish_non_exhaustive()
    }
}

impl Apart {
    /// A rule. `conflict` is called in a transaction, and is to be quick.
    pub fn new(conflict: impl Fn(&HeldVersion) -> Option<String> + Send + Sync + 'static) -> Self {
        Self {
            compared: BTreeSet::new(),
            conflict: Arc::new(conflict),
        }
    }

    /// Compares these versions, and remembers that.
    ///
    /// # Errors
    ///
    /// [`StoreError::Taken`] for the first one that does not pass.
    pub fn compare<'v>(&mut self, versions: impl IntoIterator<Item = &'v HeldVersion>) -> Result<(), StoreError> {
        for held in versions {
            self.check(held)?;
            let version = &held.version;
            self.compared
                .insert((version.service.clone(), version.version, version.created));
        }
        Ok(())
    }

    fn check(&self, held: &HeldVersion) -> Result<(), StoreError> {
        (self.conflict)(held).map_or(Ok(()), |reason| Err(StoreError::Taken(reason)))
    }

    /// Compares the versions of all services but this one that were not compared yet.
    pub(crate) async fn compare_rest(&self, tx: &mut Tx<'_>, but: Option<&str>) -> Result<(), StoreError> {
        for name in read::held_names(tx).await? {
            if but == Some(name.0.as_str()) || self.compared.contains(&name) {
                continue;
            }
            let (service, version, _) = name;
            if let Some(held) = read::held(tx, &service, version).await? {
                self.check(&held)?;
            }
        }
        Ok(())
    }
}
