//! Writes how many lines of each kind were held back, once a minute while there are any.

use std::time::Duration;

use async_trait::async_trait;

use crate::serve::Context;
use orchestrator_reconcile::driver::{Failure, Next, Reconciler, Registration, Run};
use orchestrator_runtime::log_limit::LogLimit;

/// How often counts are collected: each is written at most this late.
const PERIOD: Duration = Duration::from_secs(5);

pub(super) fn registration() -> Registration {
    Registration::new(
        "log limit",
        "writes how many log lines were held back that strangers caused",
    )
    .every(PERIOD)
}

/// Writes the counts.
pub(super) struct LogLines {
    limit: LogLimit,
}

impl LogLines {
    pub(super) fn new(context: &Context) -> Self {
        Self {
            limit: context.metrics.log_limit().clone(),
        }
    }
}

#[async_trait]
impl Reconciler for LogLines {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        for (kind, held_back) in self.limit.take_due() {
            tracing::warn!(
                kind,
                held_back,
                "more lines of this kind were held back since the last one"
            );
        }
        Ok(Next::Wait)
    }
}
