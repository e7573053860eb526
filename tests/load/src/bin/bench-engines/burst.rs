//! Many clients at once, and their end.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use orchestrator_load::exchange;

use crate::one::remove;
use crate::processes;
use crate::stage::Stage;

/// What came of a burst.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Burst {
    /// Clients.
    pub(crate) size: usize,
    /// From the first Solicit until every instance is ready.
    pub(crate) ready: Duration,
    /// From the first request to remove one until all are gone.
    pub(crate) gone: Duration,
    /// Processor time that making each took, on all processors together.
    pub(crate) processor: Duration,
    /// Bytes of memory that the processes of each have.
    pub(crate) memory: u64,
}

pub(crate) fn measure(stage: &Stage, size: usize) -> Result<Burst> {
    let before = processes::memory(stage)?;
    let ran = processes::processor_time(stage)?;
    let began = Instant::now();
    let first = u32::try_from(size)? << 16;
    stage.machine.within(|| -> Result<()> {
        for client in 0..u32::try_from(size)? {
            exchange(first + client, stage.interface)?;
        }
        Ok(())
    })?;
    let mut instances = BTreeSet::new();
    while instances.len() < size {
        let event = stage.next("instance-ready")?;
        instances.extend(event["instance"].as_str().map(str::to_owned));
    }
    let ready = began.elapsed();
    let processor = processes::processor_time(stage)?.saturating_sub(ran) / u32::try_from(size)?;
    let came = processes::memory(stage)?
        .into_iter()
        .filter(|(pid, _)| !before.contains_key(pid));
    let memory: u64 = came.map(|(_, bytes)| bytes).sum();
    let ending = Instant::now();
    for instance in &instances {
        remove(stage, instance)?;
    }
    for _ in &instances {
        stage.next("instance-removed")?;
    }
    Ok(Burst {
        size,
        ready,
        gone: ending.elapsed(),
        processor,
        memory: memory / u64::try_from(size)?,
    })
}
