//! Brings SQLite's file up to date with its log, beside the writer: a commit that had to do it would keep clients waiting
//! for as long as dozens of others take.
//!
//! Only a commit can begin the log anew, and it does when all of it is in the file. Where this does not keep up, the
//! commit that finds the log too long does the rest itself.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::StoreError;
use super::connection::Session;
use super::url::Target;

/// Changes after which the file is brought up to date. Each writes a dozen pages of the log or fewer, and the later
/// they are brought into the file, the more of them are the same.
const CHANGES: usize = 2048;

/// The writer's side: it signals when a checkpoint is due.
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

    /// The task that moves the log into the database file.
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
    /// Works until `stop`, which does not wait for a disk that hangs.
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
                // This loses nothing. Later checkpoints fail as well, and the failure is logged once.
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

    /// A session that did not get to the end is dropped.
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
