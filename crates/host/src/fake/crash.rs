//! Points at which a test can end the daemon.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts the waits of a daemon for the outside world, and stops it at a chosen one. A cheap handle.
///
/// At the chosen wait, and at every later one, nothing goes on. The test sees that by [`crashed`](Self::crashed), and
/// drops all that the daemon was doing.
#[derive(Debug, Clone, Default)]
pub struct CrashPoints(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    passed: AtomicU64,
    // Zero is never.
    crash_at: AtomicU64,
    crashed: Notify,
}

impl CrashPoints {
    /// Ends the daemon after so many more waits.
    pub fn crash_after(&self, waits: u64) {
        let passed = self.0.passed.load(Ordering::SeqCst);
        self.0
            .crash_at
            .store(passed.saturating_add(waits.max(1)), Ordering::SeqCst);
    }

    /// The next daemon runs on.
    pub fn disarm(&self) {
        self.0.crash_at.store(0, Ordering::SeqCst);
    }

    /// How many waits there were.
    pub fn passed(&self) -> u64 {
        self.0.passed.load(Ordering::SeqCst)
    }

    /// Goes on, unless this is the chosen wait or comes after it.
    pub async fn pass(&self) {
        let passed = self.0.passed.fetch_add(1, Ordering::SeqCst) + 1;
        let crash_at = self.0.crash_at.load(Ordering::SeqCst);
        if crash_at > 0 && passed >= crash_at {
            self.0.crashed.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// Returns when the daemon has reached the chosen wait.
    pub async fn crashed(&self) {
        self.0.crashed.notified().await;
    }
}
