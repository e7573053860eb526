//! Makes what waits due.

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
            and id in (select instance from attachments where network = $1 and live = 1)";
}

impl Store {
    /// Ends the wait of every instance of this plugin that is to be tried again later: its engine is back.
    /// Graces go on.
    ///
    /// # Errors
    ///
    /// When the database is away.
    pub async fn hurry_instances(&self, plugin: &str) -> Result<(), StoreError> {
        self.write(Hurry::Plugin(plugin.to_owned())).await
    }

    /// Ends the wait of every instance of this link that is to be tried again later: its bridge takes ports again.
    /// Graces and removals go on.
    ///
    /// # Errors
    ///
    /// When the database is away.
    pub async fn hurry_link(&self, link: &str) -> Result<(), StoreError> {
        self.write(Hurry::Link(link.to_owned())).await
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
