//! Which control group this process is in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file with the members of a group that this process is in.
///
/// Any tree of groups does: the lock is the same for all.
///
/// # Errors
///
/// When no tree is mounted in which the own group can be found. Where a part of a tree is mounted alone, a path of
/// `/proc/self/cgroup` may lead to another group; such a tree does not count.
pub(crate) fn members() -> io::Result<PathBuf> {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo")?;
    let groups = fs::read_to_string("/proc/self/cgroup")?;
    let pid = std::process::id().to_string();
    let is_in = |members: &Path| fs::read_to_string(members).is_ok_and(|all| all.lines().any(|member| member == pid));
    let found = of(&mountinfo, &groups).into_iter().find(|members| is_in(members));
    found.ok_or_else(|| io::Error::other("no control group is mounted that this process is in"))
}

/// The files with the members of the groups of `/proc/self/cgroup`, in every tree of `/proc/self/mountinfo`.
fn of(mountinfo: &str, groups: &str) -> Vec<PathBuf> {
    let trees = mountinfo.lines().filter_map(tree);
    let files = trees.flat_map(|(place, controllers)| {
        // NUMBER:CONTROLLERS:GROUP, without controllers in version 2
        let groups = groups
            .lines()
            .filter_map(|line| line.split_once(':')?.1.split_once(':'));
        let own = groups.filter(move |(own, _)| match controllers {
            None => own.is_empty(),
            Some(controllers) => own
                .split(',')
                .any(|name| !name.is_empty() && controllers.split(',').any(|other| other == name)),
        });
        own.map(move |(_, group)| place.join(group.trim_start_matches('/')).join("cgroup.procs"))
    });
    files.collect()
}

/// Where a tree of control groups is mounted, with its controllers in version 1.
fn tree(line: &str) -> Option<(&Path, Option<&str>)> {
    // ID PARENT DEVICE ROOT PLACE OPTIONS … - KIND SOURCE TREE-OPTIONS
    let (mount, tree) = line.split_once(" - ")?;
    let place = Path::new(mount.split(' ').nth(4)?);
    let mut tree = tree.split(' ');
    match tree.next()? {
        "cgroup2" => Some((place, None)),
        "cgroup" => Some((place, tree.nth(1))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_in_either_version() {
        let v2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
        let own = of(v2, "0::/system.slice/orchestrator-oci.service\n");
        assert_eq!(
            own,
            [PathBuf::from(
                "/sys/fs/cgroup/system.slice/orchestrator-oci.service/cgroup.procs"
            )]
        );
        let v1 = "24 1 0:5 / / rw - ext4 /dev/vda rw\n\
                  31 24 0:27 / /sys/fs/cgroup/pids rw shared:10 - cgroup cgroup rw,pids\n\
                  32 24 0:28 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,name=systemd\n";
        let groups = "9:name=systemd:/a\n4:memory:/a:b\n3:pids,freezer:/a/b:c\n0::/\n";
        let own = of(v1, groups);
        assert_eq!(
            own,
            [
                PathBuf::from("/sys/fs/cgroup/pids/a/b:c/cgroup.procs"),
                PathBuf::from("/sys/fs/cgroup/systemd/a/cgroup.procs")
            ]
        );
        assert!(of(v1, "0::/\n").is_empty());
        assert!(of("nonsense\n - cgroup2\n", "nonsense\n0::/\n").is_empty());
    }

    #[test]
    fn this_process_is_in_the_group_that_is_found() {
        // A machine may have no tree that shows it.
        if let Ok(own) = members() {
            let pid = std::process::id().to_string();
            assert!(fs::read_to_string(own).unwrap().lines().any(|member| member == pid));
        }
    }
}
