//! The signals that end a run.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::ClientError;

/// SIGTERM and SIGINT.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on they end the run and not the process.
    pub(super) fn open() -> Result<Self, ClientError> {
        let open = |kind| {
            signal(kind).map_err(|source| ClientError::System {
                doing: "wait for signals",
                source,
            })
        };
        Ok(Self {
            terminate: open(SignalKind::terminate())?,
            interrupt: open(SignalKind::interrupt())?,
        })
    }

    /// Waits for one. Cancel-safe.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
