//! What others do on the machine meanwhile.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use orchestrator_load::processor_time;

use crate::stage::Stage;

/// A moment from which on processor time is watched.
pub(crate) struct Noise {
    began: Instant,
    all: Duration,
    own: Duration,
}

impl Noise {
    pub(crate) fn begin(stage: &Stage) -> Result<Self> {
        Ok(Self {
            began: Instant::now(),
            all: busy()?,
            own: own(stage)?,
        })
    }

    /// The part of the machine's processors that others used since: 0 to 1.
    pub(crate) fn end(self, stage: &Stage) -> Result<f64> {
        let others = (busy()? - self.all).saturating_sub(own(stage)?.saturating_sub(self.own));
        let there = self.began.elapsed() * u32::try_from(std::thread::available_parallelism()?.get())?;
        Ok(others.as_secs_f64() / there.as_secs_f64())
    }
}

/// Of all processes: everything but idling and waiting for disks.
fn busy() -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    let numbers = text
        .lines()
        .next()
        .context("nothing in /proc/stat")?
        .split_whitespace()
        .skip(1);
    let times: Vec<u64> = numbers.map(str::parse).collect::<Result<_, _>>()?;
    let ticks: u64 = [0, 1, 2, 5, 6, 7].iter().filter_map(|field| times.get(*field)).sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// Of this process, what it started, and the database server.
fn own(stage: &Stage) -> Result<Duration> {
    Ok(processor_time(std::process::id())?.total() + processor_time(stage.postgres.pid())?.total())
}
