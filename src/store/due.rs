//! Makes what waits due.

use super::batch::Batch;
use super::connection::{execute, statements};
use super::writer::Write;
use super::{Store, StoreError};

statements! {
    HURRY = "update instances set due = null
        where plugin = $1 and due is not null and phase in ('pending', 'starting', 'removing')";
}

impl Store {
    /// Ends the wait of every instance of this plugin that is to be tried again later: its engine is back.
    /// Graces go on.
    ///
    /// # Errors
    ///
    /// When the database is away.
    pub async fn hurry_instances(&self, plugin: &str) -> Result<(), StoreError> {
        self.write(Hurry {
            plugin: plugin.to_owned(),
        })
        .await
    }
}

struct Hurry {
    plugin: String,
}

impl Write for Hurry {
    type Output = ();
    const DOING: &'static str = "end the waits for an engine";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        execute!(
            &mut batch.tx,
            "end the waits for an engine",
            HURRY,
            self.plugin.as_str()
        )
        .map(drop)
    }
}
