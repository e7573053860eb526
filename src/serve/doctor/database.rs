//! What the doctor knows about the database.

use std::time::Duration;

use orchestrator_doctor::DatabaseFacts;
use orchestrator_runtime::causes::with_causes;
use orchestrator_runtime::conditions::Conditions;
use orchestrator_settings::StoreUrl;
use orchestrator_store::{Store, StoreError};
use tokio::time::timeout;

use crate::serve::storage;

/// How long the search for damage may take here. The daemon makes it without haste once a day.
const SEARCH: Duration = Duration::from_secs(4);

/// Asks the database: a commit, the version, and a search for damage.
pub(super) async fn read(store: &Store, url: &StoreUrl) -> DatabaseFacts {
    let (commits, intact, schema) = tokio::join!(store.ping(), search(store), store.schema());
    let (commits, damage) = match commits {
        Err(fault @ StoreError::Damaged { .. }) => (Ok(()), Some(with_causes(&fault))),
        outcome => (outcome.map_err(|fault| with_causes(&fault)), None),
    };
    let files = Store::files_of(url.as_str());
    DatabaseFacts {
        url: url.to_string(),
        commits,
        intact: damage.map_or(intact, Err),
        size: files.as_ref().map(|files| files.size),
        log: files.map(|files| files.log),
        schema: schema.map_err(|fault| with_causes(&fault)),
    }
}

/// What is known while the daemon waits for its database.
pub(super) fn away(url: &StoreUrl, conditions: &Conditions) -> DatabaseFacts {
    let conditions = conditions.list().into_iter();
    let mut reasons = conditions.filter(|one| one.name == storage::CONDITION && !one.ok);
    let reason = reasons.next().and_then(|one| one.reason);
    let reason = reason.unwrap_or_else(|| "the daemon is only opening it".to_owned());
    let files = Store::files_of(url.as_str());
    DatabaseFacts {
        url: url.to_string(),
        commits: Err(reason.clone()),
        intact: Ok(None),
        size: files.as_ref().map(|files| files.size),
        log: files.map(|files| files.log),
        schema: Err(reason),
    }
}

/// Whether the database is damaged; `None` if the search took too long or the database is away.
async fn search(store: &Store) -> Result<Option<()>, String> {
    match timeout(SEARCH, store.examine()).await {
        Ok(Ok(())) => Ok(Some(())),
        Ok(Err(fault @ StoreError::Damaged { .. })) => Err(with_causes(&fault)),
        Ok(Err(_)) | Err(_) => Ok(None),
    }
}
