//! What a line began: every answer is kept, also when a later request fails.

use bytes::Bytes;
use serde_json::Value;

use crate::api::CallError;
use crate::failure::Failure;
use crate::page;
use crate::session::Session;

/// The answers to what a line asked of several services.
#[derive(Debug, Default)]
pub(super) struct Begun {
    /// The answers.
    pub(super) items: Vec<Value>,
    /// What the line fails with; earlier failures were reported.
    failed: Option<Failure>,
}

impl Begun {
    /// Takes the answer about a service. A failure does not stop what follows.
    pub(super) fn take(&mut self, name: &str, answer: Result<Bytes, CallError>, session: &mut Session<'_>) {
        let read = answer
            .map_err(Failure::from)
            .and_then(|answer| page::parse(&answer, "a deployment"));
        match read {
            Ok(item) => self.items.push(item),
            Err(failure) => self.failed(Some(name), failure, session),
        }
    }

    /// Takes a failure. The last one is that of the line; those before it are reported.
    pub(super) fn failed(&mut self, name: Option<&str>, failure: Failure, session: &mut Session<'_>) {
        // The failure itself does not say which of several services it is about.
        let failure = match (name, failure) {
            (Some(name), failure @ Failure::Call(_)) => Failure::About {
                what: format!("{name}: {}", orchestrator_runtime::causes::with_causes(&failure)),
                code: failure.code(),
            },
            (Some(name), Failure::Wrong { what, faults }) => Failure::Wrong {
                what: format!("{name}: {what}"),
                faults,
            },
            (_, failure) => failure,
        };
        if let Some(earlier) = self.failed.replace(failure) {
            for fault in earlier.faults() {
                session.warn_of(fault);
            }
            session.warn(&earlier);
        }
    }

    /// The result of the line.
    pub(super) fn end(self) -> Result<(), Failure> {
        self.failed.map_or(Ok(()), Err)
    }
}
