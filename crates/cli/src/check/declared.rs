//! The templates that are declared through the API, read from the database.

use std::collections::BTreeSet;

use orchestrator_model::{Clock, Event, ImagePin, Origin, Pause, RecordedTemplate};
use orchestrator_settings::Elsewhere;
use orchestrator_store::{Store, StoreError};

/// Reads the templates from the database. There are none if the daemon has not created the database yet.
pub(super) async fn look(url: &str) -> Result<Vec<RecordedTemplate>, StoreError> {
    Store::look_for_templates(url).await
}

/// The images that versions of templates are pinned to. There are none while the database cannot be read, which has a
/// finding of its own.
pub(super) async fn pins(url: &str) -> Vec<ImagePin> {
    Store::look_for_image_pins(url).await.unwrap_or_default()
}

/// What is paused. Nothing is while the database cannot be read, which has a finding of its own.
pub(super) async fn pauses(url: &str) -> Vec<Pause> {
    Store::look_for_pauses(url).await.unwrap_or_default()
}

/// The other servers and routers that the daemon has recorded lately, the youngest first. Nothing is known while the
/// database cannot be read, which has a finding of its own.
pub(super) async fn others(url: &str) -> Vec<Event> {
    let now = Clock::start().now();
    Store::look_for_others(url, now).await.unwrap_or_default()
}

/// The names that the settings may use without declaring them. They are unknown while the database is unreachable.
pub(super) fn elsewhere(recorded: &Result<Vec<RecordedTemplate>, StoreError>) -> Elsewhere {
    let Ok(recorded) = recorded else {
        return Elsewhere::Unknown;
    };
    let of_api = recorded.iter().filter(|template| template.origin == Origin::Api);
    Elsewhere::Templates(of_api.map(|template| template.name.clone()).collect::<BTreeSet<_>>())
}
