//! Work in another network.

use std::fs::File;
use std::path::Path;
use std::thread::{self, ScopedJoinHandle};

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, CpuSet, sched_setaffinity, setns};
use nix::unistd::Pid;

/// A network namespace that is open, and the processor that works in it.
pub(crate) struct Network {
    namespace: File,
    processor: usize,
}

impl Network {
    /// Work in it runs on the processor of this number, where there are as many: what a round trip takes depends on whether
    /// both ends share one.
    pub(crate) fn open(path: &Path, processor: usize) -> Result<Self> {
        let namespace = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Self { namespace, processor })
    }

    fn enter(&self) -> Result<()> {
        setns(&self.namespace, CloneFlags::CLONE_NEWNET)?;
        let mut processors = CpuSet::new();
        processors.set(self.processor)?;
        // A machine with fewer decides by itself.
        sched_setaffinity(Pid::from_raw(0), &processors).ok();
        Ok(())
    }

    /// Runs `work` on a thread of its own that is in the network: sockets it makes are the network's.
    pub(crate) fn spawn<'scope, 'env, T: Send + 'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, 'env>,
        work: impl FnOnce() -> Result<T> + Send + 'scope,
    ) -> ScopedJoinHandle<'scope, Result<T>> {
        scope.spawn(|| {
            self.enter()?;
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
