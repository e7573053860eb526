//! Ends the waits of instances.

use super::batch::Batch;
use super::connection::{execute, statements};
use super::writer::Write;
use super::{Store, StoreError};

statements! {
    HURRY = "update instances set due = null
        where due is not null and phase in ('pending', 'starting', 'removing')
            and id in (select instance from containers where engine = $1)";
    HURRY_LINK = "update instances set due = null
        where due is not null and phase in ('pending', 'starting')
            and id in (select instance from attachments where bridge = $1 and live = 1)";
}

impl Store {
    /// Ends the wait of every instance of this plugin that waits for its next try, because the plugin's engine answers
    /// again. Grace periods continue.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn hurry_instances(&self, plugin: &str) -> Result<(), StoreError> {
        self.write(Hurry::Plugin(plugin.to_owned())).await
    }

    /// Ends the wait of every instance on this bridge that waits for its next try, because the bridge accepts
    /// ports again. Grace periods and removals continue.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn hurry_link(&self, bridge: &str) -> Result<(), StoreError> {
        self.write(Hurry::Link(bridge.to_owned())).await
    }
}

/// The instances whose waits end.
enum Hurry {
    Plugin(String),
    Link(String),
}

impl Write for Hurry {
    type Output = ();
    const DOING: &'static str = "end the waits of instances";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<(), StoreError> {
        let (statement, of) = match self {
            Self::Plugin(plugin) => (HURRY, plugin),
            Self::Link(link) => (HURRY_LINK, link),
        };
        execute!(&mut batch.tx, "end the waits of instances", statement, of.as_str()).map(drop)
    }
}
