//! Copies SQLite's log into the database file, on a task next to the writer. If a commit had to do it, clients would
//! wait as long as for dozens of other commits.
//!
//! Only a commit can start the log from its beginning, and it does so once all of the log is in the file. If this task
//! does not keep up, the commit that finds the log too long copies the rest.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::StoreError;
use super::connection::Session;
use super::url::Target;

/// The number of changes after which the log is copied. Each change writes at most a dozen pages. The later they are
/// copied, the more of them are the same page.
const CHANGES: usize = 2048;

/// The writer's side: it signals when a checkpoint is due.
#[derive(Debug, Default)]
pub(super) struct Log {
    changes: usize,
    full: Arc<Notify>,
}

impl Log {
    /// Counts changes that were added to the log.
    pub(super) fn grew(&mut self, changes: usize) {
        self.changes += changes;
        if self.changes >= CHANGES {
            self.changes = 0;
            self.full.notify_one();
        }
    }

    /// The task that copies the log into the database file.
    pub(super) fn checkpointer(&self, target: Target) -> Checkpointer {
        Checkpointer {
            target,
            session: None,
            full: self.full.clone(),
        }
    }
}

/// The task's own state.
pub(super) struct Checkpointer {
    target: Target,
    session: Option<Session>,
    full: Arc<Notify>,
}

impl Checkpointer {
    /// Works until `stop` is cancelled, and then does not wait for a disk that hangs.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        stop.run_until_cancelled(self.work()).await;
        if let Some(session) = self.session {
            session.close().await;
        }
    }

    async fn work(&mut self) {
        let mut is_failing = false;
        loop {
            self.full.notified().await;
            match self.checkpoint().await {
                Ok(()) => is_failing = false,
                // Nothing is lost. Later checkpoints fail as well, and the failure is logged once.
                Err(error) if !is_failing => {
                    is_failing = true;
                    tracing::warn!(
                        %error,
                        "the database's file could not be brought up to date with its log, which grows until it can be; \
                         look whether the disk is full or broken"
                    );
                }
                Err(error) => tracing::debug!(%error, "the database's file still is not up to date with its log"),
            }
        }
    }

    /// Copies the log. A session that fails on the way is dropped.
    async fn checkpoint(&mut self) -> Result<(), StoreError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => Session::connect(&self.target).await?,
        };
        session.checkpoint().await?;
        self.session = Some(session);
        Ok(())
    }
}
