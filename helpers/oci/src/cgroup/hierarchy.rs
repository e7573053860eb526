//! Where the trees are.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The trees of control groups of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hierarchy {
    /// A tree for each controller.
    V1 {
        /// Where the tree of each controller is mounted.
        controllers: BTreeMap<String, PathBuf>,
        /// Where the tree of version 2 is mounted, which has no controllers here.
        unified: Option<PathBuf>,
    },
    /// One tree, mounted here.
    V2(PathBuf),
}

/// Controllers of version 1 that a container must have: without them its limits are not in force.
const NEEDED: [&str; 4] = ["cpu", "devices", "memory", "pids"];

impl Hierarchy {
    /// Reads `/proc/self/mountinfo`.
    ///
    /// # Errors
    ///
    /// What is missing, and what to do about it.
    pub(crate) fn read(mountinfo: &str) -> Result<Self, String> {
        let (mut controllers, mut unified) = (BTreeMap::new(), None);
        for line in mountinfo.lines() {
            // ID PARENT DEVICE ROOT PLACE OPTIONS … - KIND SOURCE TREE-OPTIONS
            let Some((mount, tree)) = line.split_once(" - ") else {
                continue;
            };
            let (Some(place), mut tree) = (mount.split(' ').nth(4), tree.split(' ')) else {
                continue;
            };
            match tree.next() {
                Some("cgroup2") => unified = unified.or(Some(PathBuf::from(place))),
                Some("cgroup") => {
                    for option in tree.nth(1).unwrap_or_default().split(',') {
                        controllers
                            .entry(option.to_owned())
                            .or_insert_with(|| PathBuf::from(place));
                    }
                }
                _ => {}
            }
        }
        // Options of a mount are among them, too; nobody asks for these.
        controllers.retain(|name, _| !matches!(name.as_str(), "rw" | "ro"));
        match (controllers.is_empty(), unified) {
            (true, Some(place)) => Ok(Self::V2(place)),
            (true, None) => {
                Err("no control groups are mounted; mount a tree of version 2 at /sys/fs/cgroup".to_owned())
            }
            (false, unified) => match NEEDED.iter().find(|name| !controllers.contains_key(**name)) {
                None => Ok(Self::V1 { controllers, unified }),
                Some(missing) => Err(format!(
                    "the control group controller {missing} is not mounted; mount it, or boot with version 2"
                )),
            },
        }
    }

    /// `v1`, `hybrid` or `v2`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::V1 { unified: None, .. } => "v1",
            Self::V1 { .. } => "hybrid",
            Self::V2(_) => "v2",
        }
    }

    /// Every directory that the group of this path may have.
    pub(crate) fn directories(&self, group: &str) -> Vec<PathBuf> {
        let group = group.trim_start_matches('/');
        match self {
            Self::V1 { controllers, unified } => {
                let mut all: Vec<_> = controllers
                    .values()
                    .chain(unified)
                    .map(|place| place.join(group))
                    .collect();
                all.sort();
                all.dedup();
                all
            }
            Self::V2(place) => vec![place.join(group)],
        }
    }

    /// Whether a limit on swap can be set.
    pub(crate) fn limits_swap(&self) -> bool {
        match self {
            Self::V1 { controllers, .. } => controllers
                .get("memory")
                .is_some_and(|place| place.join("memory.memsw.limit_in_bytes").exists()),
            // The root group has no such file. Without it in a group, the runtime skips it.
            Self::V2(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
    const V1: &str = "\
        30 23 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n\
        31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n\
        32 30 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
        33 30 0:29 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
        34 30 0:30 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices\n\
        35 30 0:31 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n";
    const UNIFIED: &str = "36 30 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    #[test]
    fn the_three_kinds_are_told_apart() {
        assert_eq!(Hierarchy::read(V2).unwrap().kind(), "v2");
        assert_eq!(Hierarchy::read(V1).unwrap().kind(), "v1");
        assert_eq!(Hierarchy::read(&format!("{V1}{UNIFIED}")).unwrap().kind(), "hybrid");
        assert!(Hierarchy::read("").unwrap_err().contains("mount a tree"));
        let without_pids: String = V1
            .lines()
            .filter(|line| !line.contains("pids"))
            .collect::<Vec<_>>()
            .join("\n");
        assert!(Hierarchy::read(&without_pids).unwrap_err().contains("pids"));
    }

    #[test]
    fn a_group_has_a_directory_in_each_tree_and_one_in_version_2() {
        let v1 = Hierarchy::read(&format!("{V1}{UNIFIED}")).unwrap();
        let directories = v1.directories("/orchestrator/one");
        assert_eq!(
            directories.len(),
            6,
            "controllers on one mount share a tree: {directories:?}"
        );
        assert!(directories.contains(&"/sys/fs/cgroup/cpu,cpuacct/orchestrator/one".into()));
        let v2 = Hierarchy::read(V2).unwrap();
        assert_eq!(
            v2.directories("orchestrator/one"),
            [PathBuf::from("/sys/fs/cgroup/orchestrator/one")]
        );
    }
}
