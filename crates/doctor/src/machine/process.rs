//! The limits of this process, and what the machine has.

use std::path::Path;

use super::{number, text};
use crate::{Fact, ProcessFacts, Usage};

/// Reads all of them.
pub(super) fn read(root: &Path) -> ProcessFacts {
    ProcessFacts {
        open_files: open_files(root),
        memory: memory(root),
        tasks: tasks(root),
    }
}

fn open_files(root: &Path) -> Fact<Usage> {
    let limits = text(root, "proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let limit = match line.and_then(|line| line.split_whitespace().next()) {
        Some("unlimited") => u64::MAX,
        Some(limit) => limit
            .parse()
            .map_err(|_| format!("/proc/self/limits: {limit:?} is no number"))?,
        None => return Err("/proc/self/limits has no limit on open files".to_owned()),
    };
    let open = std::fs::read_dir(root.join("proc/self/fd")).map_err(|fault| format!("/proc/self/fd: {fault}"))?;
    let used = u64::try_from(open.count()).unwrap_or(u64::MAX);
    Ok(Usage { used, limit })
}

fn memory(root: &Path) -> Fact<Usage> {
    let text = text(root, "proc/meminfo")?;
    let of = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        number.ok_or_else(|| format!("/proc/meminfo has no {name}"))
    };
    let (limit, available) = (of("MemTotal:")?, of("MemAvailable:")?);
    Ok(Usage {
        used: limit.saturating_sub(available).saturating_mul(1024),
        limit: limit.saturating_mul(1024),
    })
}

/// The fourth word of `/proc/loadavg` is `RUNNING/THREADS`.
fn tasks(root: &Path) -> Fact<Usage> {
    let load = text(root, "proc/loadavg")?;
    let threads = load.split_whitespace().nth(3).and_then(|word| word.split_once('/'));
    let used = threads.and_then(|(_, threads)| threads.parse().ok());
    let limits = ["proc/sys/kernel/pid_max", "proc/sys/kernel/threads-max"].map(|path| number(root, path));
    let [pids, threads] = limits;
    Ok(Usage {
        used: used.ok_or_else(|| "/proc/loadavg has no number of threads".to_owned())?,
        limit: pids?.min(threads?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_from_the_kernel_s_text() {
        let root = super::super::tree(
            "process",
            &[
                (
                    "proc/self/limits",
                    "Limit                     Soft Limit           Hard Limit           Units\n\
                     Max open files            1024                 524288               files\n",
                ),
                ("proc/self/fd/0", ""),
                ("proc/self/fd/1", ""),
                (
                    "proc/meminfo",
                    "MemTotal:  1000 kB\nMemFree:  10 kB\nMemAvailable:  400 kB\n",
                ),
                ("proc/loadavg", "0.1 0.2 0.3 2/345 6789\n"),
                ("proc/sys/kernel/pid_max", "32768\n"),
                ("proc/sys/kernel/threads-max", "100000\n"),
            ],
        );
        let found = read(&root);
        assert_eq!(found.open_files, Ok(Usage { used: 2, limit: 1024 }));
        assert_eq!(
            found.memory,
            Ok(Usage {
                used: 600 << 10,
                limit: 1000 << 10
            })
        );
        assert_eq!(
            found.tasks,
            Ok(Usage {
                used: 345,
                limit: 32768
            })
        );
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn this_process_has_limits() {
        let found = read(Path::new("/"));
        assert!(
            found.open_files.is_ok() && found.memory.is_ok() && found.tasks.is_ok(),
            "{found:?}"
        );
    }
}
