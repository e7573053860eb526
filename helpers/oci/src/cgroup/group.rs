//! The group of one container.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use orchestrator_plugin_oci::protocol::StatsAnswer;

use super::Hierarchy;

/// The pause before a group is looked at again whose change the kernel does not report.
const PAUSE: Duration = Duration::from_millis(2);

/// Attempts after which freezing is taken for stuck.
const STUCK: u64 = 25;

/// The control group of a container, in every tree of the machine.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    hierarchy: Hierarchy,
    path: String,
}

impl Group {
    /// The group of this path, such as `/orchestrator/REFERENCE`, whether it is there or not.
    pub(crate) fn new(hierarchy: Hierarchy, path: String) -> Self {
        Self { hierarchy, path }
    }

    /// Its path in every tree.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Measures what its processes use.
    pub(crate) fn stats(&self) -> io::Result<StatsAnswer> {
        let (cpu_nanoseconds, usage, cache) = match &self.hierarchy {
            Hierarchy::V1 { .. } => (
                number(&self.file("cpuacct", "cpuacct.usage"))?,
                number(&self.file("memory", "memory.usage_in_bytes"))?,
                field(&self.file("memory", "memory.stat"), "total_inactive_file")?,
            ),
            Hierarchy::V2(_) => (
                field(&self.file("cpu", "cpu.stat"), "usage_usec")?.saturating_mul(1000),
                number(&self.file("memory", "memory.current"))?,
                field(&self.file("memory", "memory.stat"), "inactive_file")?,
            ),
        };
        Ok(StatsAnswer {
            cpu_nanoseconds,
            memory: usage.saturating_sub(cache),
            pids: number(&self.file("pids", "pids.current")).ok(),
        })
    }

    /// Whether its processes are frozen, or are being frozen.
    pub(crate) fn is_frozen(&self) -> bool {
        let (name, thawed) = match &self.hierarchy {
            Hierarchy::V1 { .. } => ("freezer.state", "THAWED"),
            Hierarchy::V2(_) => ("cgroup.freeze", "0"),
        };
        fs::read_to_string(self.file("freezer", name)).is_ok_and(|state| state.trim() != thawed)
    }

    /// Freezes its processes, and waits until they are.
    ///
    /// # Errors
    ///
    /// When they are not frozen within `limit`: then they run on.
    pub(crate) fn freeze(&self, limit: Duration) -> io::Result<()> {
        let deadline = Instant::now() + limit;
        for attempt in 1_u64.. {
            match &self.hierarchy {
                // Version 1 does not get there while a process waits for one that is frozen already, as a parent does for
                // its child between vfork and exec. They must go on for a moment.
                Hierarchy::V1 { .. } if attempt % STUCK == 0 => {
                    self.thaw()?;
                    thread::sleep(PAUSE);
                    fs::write(self.file("freezer", "freezer.state"), "FROZEN")?;
                }
                // Written again each time: a process that was made meanwhile may have escaped.
                Hierarchy::V1 { .. } => fs::write(self.file("freezer", "freezer.state"), "FROZEN")?,
                Hierarchy::V2(_) => fs::write(self.file("", "cgroup.freeze"), "1")?,
            }
            let frozen = match &self.hierarchy {
                Hierarchy::V1 { .. } => fs::read_to_string(self.file("freezer", "freezer.state"))?.trim() == "FROZEN",
                Hierarchy::V2(_) => field(&self.file("", "cgroup.events"), "frozen")? == 1,
            };
            if frozen {
                return Ok(());
            }
            if Instant::now() >= deadline {
                break;
            }
            thread::sleep(PAUSE);
        }
        self.thaw()?;
        Err(io::ErrorKind::TimedOut.into())
    }

    /// Lets its processes go on.
    pub(crate) fn thaw(&self) -> io::Result<()> {
        match &self.hierarchy {
            Hierarchy::V1 { .. } => fs::write(self.file("freezer", "freezer.state"), "THAWED"),
            Hierarchy::V2(_) => fs::write(self.file("", "cgroup.freeze"), "0"),
        }
    }

    /// Kills every process in it. A group that is not there has none.
    pub(crate) fn kill(&self) -> io::Result<()> {
        if let Hierarchy::V2(_) = &self.hierarchy {
            let kill = self.file("", "cgroup.kill");
            if kill.exists() {
                return fs::write(kill, "1");
            }
        }
        for pid in self.processes()? {
            let Some(pid) = rustix::process::Pid::from_raw(pid) else {
                continue;
            };
            match rustix::process::kill_process(pid, rustix::process::Signal::KILL) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // A frozen process does not notice that it was killed.
        match self.is_frozen() {
            true => self.thaw(),
            false => Ok(()),
        }
    }

    /// Removes it from every tree, with what is in it. Waits for processes that are ending, and kills the others.
    pub(crate) fn remove(&self, limit: Duration) -> io::Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            let directories = self.hierarchy.directories(&self.path);
            let removed: io::Result<()> = directories.iter().try_for_each(|path| remove_tree(path));
            match removed {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => self.kill()?,
            }
            thread::sleep(PAUSE);
        }
    }

    /// The numbers of its processes.
    fn processes(&self) -> io::Result<Vec<i32>> {
        let path = self.file("pids", "cgroup.procs");
        match fs::read_to_string(path) {
            Ok(text) => Ok(text.lines().filter_map(|line| line.parse().ok()).collect()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// A file of the group, in the tree of this controller.
    fn file(&self, controller: &str, name: &str) -> PathBuf {
        let group = self.path.trim_start_matches('/');
        match &self.hierarchy {
            Hierarchy::V1 { controllers, .. } => match controllers.get(controller) {
                Some(place) => place.join(group).join(name),
                // There is no such file then.
                None => PathBuf::from("/nonexistent").join(name),
            },
            Hierarchy::V2(place) => place.join(group).join(name),
        }
    }
}

fn number(path: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(path)?;
    text.trim().parse().map_err(|_| io::ErrorKind::InvalidData.into())
}

/// The value of a line `NAME VALUE`; 0 without such a line.
fn field(path: &Path, name: &str) -> io::Result<u64> {
    let text = fs::read_to_string(path)?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    Ok(value.and_then(|value| value.trim().parse().ok()).unwrap_or_default())
}

/// Removes a group with those below it. The files in it are the kernel's, and go with it.
fn remove_tree(path: &Path) -> io::Result<()> {
    let gone = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    };
    match fs::remove_dir(path) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(_) => {}
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    fs::remove_dir(path).or_else(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A group of version 2 in a tree of plain files.
    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str, files: &[(&str, &str)]) -> (Self, Group) {
            let place = std::env::temp_dir().join(format!("orchestrator-cgroup-{}-{name}", std::process::id()));
            fs::create_dir_all(place.join("top/one")).unwrap();
            for (name, text) in files {
                fs::write(place.join("top/one").join(name), text).unwrap();
            }
            let group = Group::new(Hierarchy::V2(place.clone()), "/top/one".to_owned());
            (Self(place), group)
        }

        fn read(&self, name: &str) -> String {
            fs::read_to_string(self.0.join("top/one").join(name)).unwrap()
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn version_2_is_measured_without_the_page_cache() {
        let (_tree, group) = Tree::new(
            "stats",
            &[
                ("cpu.stat", "usage_usec 1500\nuser_usec 1000\nsystem_usec 500\n"),
                ("memory.current", "5000\n"),
                ("memory.stat", "anon 100\ninactive_file_x 9\ninactive_file 1200\n"),
                ("pids.current", "3\n"),
            ],
        );
        let expected = StatsAnswer {
            cpu_nanoseconds: 1_500_000,
            memory: 3800,
            pids: Some(3),
        };
        assert_eq!(group.stats().unwrap(), expected);
    }

    #[test]
    fn without_a_memory_controller_nothing_is_invented() {
        let (_tree, group) = Tree::new("bare", &[("cpu.stat", "usage_usec 1\n")]);
        assert_eq!(group.stats().unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn version_2_is_frozen_and_thawed_by_its_own_files() {
        let (tree, group) = Tree::new(
            "freeze",
            &[("cgroup.freeze", "0\n"), ("cgroup.events", "populated 1\nfrozen 1\n")],
        );
        assert!(!group.is_frozen());
        group.freeze(Duration::from_secs(5)).unwrap();
        assert_eq!(tree.read("cgroup.freeze"), "1");
        assert!(group.is_frozen());
        group.thaw().unwrap();
        assert!(!group.is_frozen());
    }

    #[test]
    fn what_cannot_be_frozen_goes_on() {
        let (tree, group) = Tree::new(
            "busy",
            &[("cgroup.freeze", "0\n"), ("cgroup.events", "populated 1\nfrozen 0\n")],
        );
        let fault = group.freeze(Duration::ZERO).unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::TimedOut);
        assert_eq!(tree.read("cgroup.freeze"), "0");
    }

    #[test]
    fn version_2_is_killed_by_one_write() {
        let (tree, group) = Tree::new("kill", &[("cgroup.kill", "")]);
        group.kill().unwrap();
        assert_eq!(tree.read("cgroup.kill"), "1");
    }

    #[test]
    fn removing_takes_what_is_below_along_and_a_second_time_is_success() {
        let (tree, group) = Tree::new("remove", &[]);
        fs::create_dir_all(tree.0.join("top/one/below/deep")).unwrap();
        group.remove(Duration::from_secs(5)).unwrap();
        assert!(!tree.0.join("top/one").exists());
        assert!(tree.0.join("top").exists(), "what others use stays");
        group.remove(Duration::from_secs(5)).unwrap();
        group.kill().unwrap();
    }
}
