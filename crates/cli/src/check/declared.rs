//! What is declared through the API, as the database has it.

use std::collections::BTreeSet;

use orchestrator_model::{Origin, RecordedTemplate};
use orchestrator_settings::Elsewhere;
use orchestrator_store::{Store, StoreError};

/// The templates that the database has; none where the daemon still has to make it.
pub(super) async fn look(url: &str) -> Result<Vec<RecordedTemplate>, StoreError> {
    Store::look_for_templates(url).await
}

/// What the settings may name besides what they declare. Where the database is away, nobody knows.
pub(super) fn elsewhere(recorded: &Result<Vec<RecordedTemplate>, StoreError>) -> Elsewhere {
    let Ok(recorded) = recorded else {
        return Elsewhere::Unknown;
    };
    let of_api = recorded.iter().filter(|template| template.origin == Origin::Api);
    Elsewhere::Templates(of_api.map(|template| template.name.clone()).collect::<BTreeSet<_>>())
}
