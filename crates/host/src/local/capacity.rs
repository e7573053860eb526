//! Reads what this machine has.

use std::fs;
use std::path::Path;
use std::thread;

use nix::sys::statvfs::statvfs;

use crate::Capacity;

/// What this machine has. `volumes` is the directory of the volumes, which may not be there yet.
pub(super) fn read(volumes: &Path) -> Capacity {
    let number = |path: &str| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let pids = [
        number("/proc/sys/kernel/pid_max"),
        number("/proc/sys/kernel/threads-max"),
    ];
    Capacity {
        memory: fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(memory),
        processors: thread::available_parallelism()
            .ok()
            .and_then(|number| u64::try_from(number.get()).ok()),
        pids: pids.into_iter().flatten().min(),
        disk: volumes.ancestors().find_map(disk),
    }
}

/// The bytes of the file system that has a directory; `None` when that is not there.
fn disk(directory: &Path) -> Option<u64> {
    let found = statvfs(directory).ok()?;
    found.blocks().checked_mul(found.fragment_size())
}

/// The bytes of memory that the text of `/proc/meminfo` names.
fn memory(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_kernel_s_text() {
        let text = "MemTotal:       24684284 kB\nMemFree:        18872012 kB\n";
        assert_eq!(memory(text), Some(24_684_284 * 1024));
        for text in [
            "",
            "MemFree: 1 kB",
            "MemTotal: many kB",
            "MemTotal: 1 MB",
            "MemTotal: 99999999999999999999 kB",
        ] {
            assert_eq!(memory(text), None, "{text:?}");
        }
    }

    #[test]
    fn this_machine_has_something_of_each() {
        let found = read(Path::new("/not/there/yet"));
        assert!(
            found.memory > Some(0) && found.processors > Some(0) && found.pids > Some(0) && found.disk > Some(0),
            "{found:?}"
        );
    }
}
