//! Brings SQLite's file up to date with its log, beside the writer: a commit that had to do it would keep clients waiting
//! for as long as dozens of others take.
//!
//! Only a commit can begin the log anew, and it does when all of it is in the file. Where this does not keep up, the
//! commit that finds the log too long does the rest itself.

use std::sync::Arc;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Changes after which the file is brought up to date. Each writes up to ten pages of the log, and the later they are
/// brought into the file, the more of them are the same.
const CHANGES: usize = 2048;

/// Copies what it can without waiting for a reader or the writer, and without having one wait.
const CHECKPOINT: &str = "pragma wal_checkpoint(passive)";

/// The writer's end: tells when there is something to do.
#[derive(Debug, Default)]
pub(super) struct Log {
    changes: usize,
    full: Arc<Notify>,
}

impl Log {
    /// So many changes more are in the log.
    pub(super) fn grew(&mut self, changes: usize) {
        self.changes += changes;
        if self.changes >= CHANGES {
            self.changes = 0;
            self.full.notify_one();
        }
    }

    /// Who brings the file up to date.
    pub(super) fn checkpointer(&self, options: SqliteConnectOptions) -> Checkpointer {
        Checkpointer {
            options,
            full: self.full.clone(),
        }
    }
}

/// The task's own state.
pub(super) struct Checkpointer {
    options: SqliteConnectOptions,
    full: Arc<Notify>,
}

impl Checkpointer {
    /// Works until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut session = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.full.notified() => {}
            }
            match self.checkpoint(session.take()).await {
                Ok(used) => session = Some(used),
                // The log only grows meanwhile, and the writer meets the same fault.
                Err(error) => tracing::debug!(%error, "could not bring the database's file up to date with its log"),
            }
        }
        if let Some(session) = session
            && let Err(error) = session.close().await
        {
            tracing::debug!(%error, "the database connection did not close cleanly");
        }
    }

    async fn checkpoint(&self, session: Option<SqliteConnection>) -> Result<SqliteConnection, sqlx::Error> {
        let mut session = match session {
            Some(session) => session,
            None => self.options.connect().await?,
        };
        session.execute(CHECKPOINT).await?;
        Ok(session)
    }
}
