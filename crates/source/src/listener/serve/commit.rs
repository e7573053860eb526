//! Commits changes, and sends the replies that follow them.

use std::sync::Arc;

use orchestrator_dhcp6::Change;

use super::command::Done;
use super::{Listener, Origin, Reply};
use orchestrator_runtime::causes::with_causes;
use orchestrator_store::StoreError;

/// A change, with the origin of the message that made it, if it is known.
pub(super) struct Made {
    pub(super) change: Change,
    pub(super) origin: Option<Arc<Origin>>,
}

/// Changes that wait for their commit, and the replies that follow it.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) changes: Vec<Made>,
    pub(super) replies: Vec<Reply>,
    /// The types of the messages that are answered then, for the count.
    pub(super) answered: Vec<&'static str>,
    pub(super) done: Option<Done>,
}

impl Listener {
    /// A future that commits the changes. It borrows nothing, so that several can run at the same time.
    pub(super) fn commit(&self, pending: Pending) -> impl Future<Output = (Pending, Result<(), StoreError>)> + use<> {
        let now = self.parts.clock.now();
        let changes = pending
            .changes
            .iter()
            .map(|made| {
                let origin = made.origin.as_deref();
                self.rules.lease_change(&self.parts.link, &made.change, origin, now)
            })
            .collect();
        let recorder = self.parts.recorder.clone();
        async move {
            let outcome = recorder.record(changes).await;
            (pending, outcome)
        }
    }

    pub(super) fn settle(&mut self, pending: Pending, outcome: Result<(), StoreError>) {
        match &outcome {
            Ok(()) => {
                // Before they are sent: a client that has its answer was counted.
                self.parts.metrics.dhcp6_all_answered(pending.answered.iter().copied());
                self.send(&pending.replies);
            }
            Err(fault) => {
                let unanswered = pending.answered.iter();
                unanswered.for_each(|_| self.parts.metrics.dhcp6_discarded("not-recorded"));
                self.parts.metrics.commit_failed();
                if let Some(held_back) = self.parts.metrics.log_limit().admit("lease-commit-failed") {
                    tracing::error!(
                        link = self.parts.link,
                        changes = pending.changes.len(),
                        reason = with_causes(fault),
                        held_back,
                        "bindings could not be recorded; their clients are not answered and will ask again"
                    );
                }
                for Made { change, .. } in pending.changes.iter().rev() {
                    self.bindings.undo(change);
                    self.watch.take_key_back(&change.after.duid);
                }
            }
        }
        if let Some(done) = pending.done {
            done.report(outcome, !pending.changes.is_empty());
        }
    }
}
