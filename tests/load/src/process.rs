//! What processes used, from `/proc`.

use std::fs;
use std::ops::Sub;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::unistd::{SysconfVar, sysconf};

/// Processor time of a process and of those it has waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// In its own code.
    pub user: Duration,
    /// In the kernel.
    pub system: Duration,
}

impl Usage {
    /// Both together.
    pub fn total(&self) -> Duration {
        self.user + self.system
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }
}

/// Processor time of a process and all its children, those included that have ended.
///
/// # Errors
///
/// When there is no such process.
pub fn processor_time(process: u32) -> Result<Usage> {
    let tick = Duration::from_secs(1) / u32::try_from(sysconf(SysconfVar::CLK_TCK)?.context("no clock tick")?)?;
    let mut usage = Usage::default();
    for stat in family(process)? {
        // Of itself, and of children that it has waited for.
        for (user, system) in [(11, 12), (13, 14)] {
            usage.user += tick * stat.number(user)?;
            usage.system += tick * stat.number(system)?;
        }
    }
    Ok(usage)
}

/// Processor time of the calling thread.
///
/// # Errors
///
/// When the kernel does not tell it.
pub fn thread_time() -> Result<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").context("the kernel keeps no scheduler statistics")?;
    let nanoseconds = text
        .split_whitespace()
        .next()
        .context("nothing in /proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// Bytes of memory that a process has for itself alone, not counting the pages of files.
///
/// # Errors
///
/// When there is no such process.
pub fn resident(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    Ok(kilobytes.context("no RssAnon in /proc/PID/status")? * 1024)
}

/// The fields of `/proc/PID/stat` after the name.
struct Stat(Vec<String>);

impl Stat {
    fn read(process: &str) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        Some(Self(fields.split_whitespace().map(str::to_owned).collect()))
    }

    fn number(&self, field: usize) -> Result<u32> {
        let text = self.0.get(field).context("a field of /proc/PID/stat is missing")?;
        text.parse().with_context(|| format!("{text:?} in /proc/PID/stat"))
    }
}

/// A process and its children.
fn family(process: u32) -> Result<Vec<Stat>> {
    let head = Stat::read(&process.to_string()).with_context(|| format!("process {process} is gone"))?;
    let parent = process.to_string();
    let children = fs::read_dir("/proc")?.filter_map(|entry| {
        let stat = Stat::read(entry.ok()?.file_name().to_str()?)?;
        (stat.0.get(1) == Some(&parent)).then_some(stat)
    });
    Ok(children.chain([head]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let before = processor_time(std::process::id()).unwrap();
        let thread = thread_time().unwrap();
        let mut sum = 0_u64;
        while processor_time(std::process::id()).unwrap().total() <= before.total() {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(thread_time().unwrap() > thread);
        assert!(resident(std::process::id()).unwrap() > 0);
    }

    #[test]
    fn nobody_uses_nothing() {
        assert!(processor_time(u32::MAX).is_err());
        assert!(resident(u32::MAX).is_err());
    }
}
