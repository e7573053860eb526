//! The processes that an engine runs, with what they cost.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::time::Duration;

use anyhow::Result;

use crate::stage::Stage;

/// Clock ticks of a second, as Linux shows them to programs.
const TICKS: u32 = 100;

/// The proportional set sizes of all processes of the stage's lab, in bytes, by their numbers.
pub(crate) fn memory(stage: &Stage) -> Result<BTreeMap<u32, u64>> {
    let own = all(stage)?;
    Ok(own.into_iter().filter_map(|pid| Some((pid, size(pid)?))).collect())
}

/// The processor time of all processes of the stage's lab so far, with those of their children that have ended.
pub(crate) fn processor_time(stage: &Stage) -> Result<Duration> {
    let ticks: u64 = all(stage)?.into_iter().filter_map(ticks).sum();
    Ok(Duration::from_secs(ticks) / TICKS)
}

fn all(stage: &Stage) -> Result<BTreeSet<u32>> {
    let lab = stage.lab.id();
    let mut parents = HashMap::new();
    let mut own = BTreeSet::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if belongs(pid, lab) {
            own.insert(pid);
        }
        parents.extend(parent(pid).map(|parent| (pid, parent)));
    }
    while grow(&mut own, &parents) {}
    Ok(own)
}

/// Whether a process carries the lab's mark, or is in a cgroup of it.
fn belongs(pid: u32, lab: &str) -> bool {
    let mark = format!("ORCHESTRATOR_LAB={lab}");
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let is_marked = environment
        .split(|byte| *byte == 0)
        .any(|variable| variable == mark.as_bytes());
    let cgroups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    is_marked || cgroups.lines().any(|line| line.split('/').any(|part| part == lab))
}

fn parent(pid: u32) -> Option<u32> {
    field(pid, 1)
}

/// Clock ticks that a process and its children that have ended ran for: fields 14 to 17 of `/proc/PID/stat`.
fn ticks(pid: u32) -> Option<u64> {
    let fields = 11..=14;
    fields.map(|number| field::<u64>(pid, number)).sum()
}

/// A field after the name, which may hold anything; the state is the first.
fn field<T: std::str::FromStr>(pid: u32, number: usize) -> Option<T> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(") ").next()?.split(' ').nth(number)?.parse().ok()
}

/// Adds the children of what is there; whether there were any.
fn grow(own: &mut BTreeSet<u32>, parents: &HashMap<u32, u32>) -> bool {
    let before = own.len();
    let children = parents
        .iter()
        .filter(|(_, parent)| own.contains(parent))
        .map(|(child, _)| *child);
    let children: Vec<u32> = children.collect();
    own.extend(children);
    own.len() > before
}

fn size(pid: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib << 10)
}
