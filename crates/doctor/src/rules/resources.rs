//! Memory, processes and open files.

use super::bytes;
use crate::{Area, Code, Examined, Facts, Finding, ProcessFacts, Usage};

const AREA: Area = Area::Resources;

pub(super) fn examine(facts: &Facts) -> Examined {
    let process = match &facts.machine {
        Ok(machine) => &machine.process,
        Err(reason) => return Examined::unknown(AREA, reason),
    };
    let mut examined = Examined::new(AREA, seen(process));
    for (fact, rule) in [
        (&process.memory, memory as fn(Usage) -> Option<Finding>),
        (&process.tasks, tasks),
        (&process.open_files, open_files),
    ] {
        examined = match fact {
            Ok(usage) => examined.with(rule(*usage)),
            Err(reason) => examined.lacking(reason),
        };
    }
    examined
}

fn seen(process: &ProcessFacts) -> String {
    let mut parts = Vec::new();
    if let Ok(memory) = process.memory {
        parts.push(format!("{} of memory available", bytes(memory.left())));
    }
    if let Ok(tasks) = process.tasks {
        parts.push(format!("{} of {} processes", tasks.used, tasks.limit));
    }
    if let Ok(files) = process.open_files {
        parts.push(format!("{} of {} open files", files.used, files.limit));
    }
    parts.join(", ")
}

fn memory(memory: Usage) -> Option<Finding> {
    if !memory.leaves_less_than(20) {
        return None;
    }
    Some(
        Finding::warning(AREA, Code::MemoryLow)
            .what(format!("{} of {} of memory are available", bytes(memory.left()), bytes(memory.limit)))
            .means("the kernel ends processes when there is none left: instances, the engine, or the database")
            .mend("lower limits.memory in the settings, or memory in the templates; orchestrator limits shows what is promised"),
    )
}

fn tasks(tasks: Usage) -> Option<Finding> {
    if !tasks.leaves_less_than(10) {
        return None;
    }
    Some(
        Finding::warning(AREA, Code::ProcessesFew)
            .what(format!(
                "{} of {} processes and threads are there",
                tasks.used, tasks.limit
            ))
            .means("once there are as many as the kernel allows, no container starts and no command runs")
            .mend("sysctl -w kernel.pid_max=4194304 kernel.threads-max=4194304, or set pids in the templates"),
    )
}

fn open_files(files: Usage) -> Option<Finding> {
    let is_small = files.limit < 1024;
    if !files.leaves_less_than(5) && !is_small {
        return None;
    }
    Some(
        Finding::warning(AREA, Code::OpenFilesFew)
            .what(format!(
                "the process may open {} files, and has {} open",
                files.limit, files.used
            ))
            .means("beyond that it answers no further client, API request or engine")
            .mend("set LimitNOFILE=65536 in the daemon's unit, and restart it"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_short_is_a_warning() {
        assert!(memory(Usage { used: 97, limit: 100 }).is_some());
        assert!(memory(Usage { used: 90, limit: 100 }).is_none());
        assert!(tasks(Usage { used: 95, limit: 100 }).is_some());
        assert!(tasks(Usage { used: 50, limit: 100 }).is_none());
        assert!(open_files(Usage { used: 10, limit: 256 }).is_some());
        assert!(
            open_files(Usage {
                used: 60_000,
                limit: 65_536
            })
            .is_some()
        );
        assert!(open_files(Usage { used: 40, limit: 1024 }).is_none());
    }
}
