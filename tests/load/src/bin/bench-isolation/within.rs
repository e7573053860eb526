//! Work in another network.

use std::fs::File;
use std::path::Path;
use std::thread::{self, ScopedJoinHandle};

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, setns};

/// A network namespace that is open.
pub(crate) struct Network(File);

impl Network {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Self(file))
    }

    /// Runs `work` on a thread of its own that is in the network: sockets it makes are the network's.
    pub(crate) fn spawn<'scope, 'env, T: Send + 'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, 'env>,
        work: impl FnOnce() -> Result<T> + Send + 'scope,
    ) -> ScopedJoinHandle<'scope, Result<T>> {
        scope.spawn(|| {
            setns(&self.0, CloneFlags::CLONE_NEWNET)?;
            work()
        })
    }

    /// Runs `work` in the network, and waits for its end.
    pub(crate) fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        thread::scope(|scope| joined(self.spawn(scope, work)))
    }
}

/// What a thread returned.
pub(crate) fn joined<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().map_err(|_| anyhow!("a thread panicked"))?
}
