//! Waits in the runtime's place for the kernel's lock on moving processes between control groups.
//!
//! Every fork on the machine takes that lock, too. Forks take it without a cost, so the first process that moves another
//! one waits until all processors have noticed (a grace period of RCU, 8 to 16 ms). One that does so shortly afterwards
//! does not wait. On a quiet machine the first is the runtime, and it waits for a third of its time. So the helper waits in
//! its place, while it prepares the container: it moves itself to where it is.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::debug;

use super::Hierarchy;

/// Where a process reads which groups it is in.
const OWN_GROUPS: &str = "/proc/self/cgroup";

/// Takes the lock before the runtime needs it.
#[derive(Debug, Clone)]
pub(crate) struct Ahead {
    hierarchy: Hierarchy,
    /// Whether it waits for the lock.
    busy: Arc<AtomicBool>,
}

impl Ahead {
    /// For the groups of this machine. `None` where this process cannot tell which is its own.
    pub(crate) fn new(hierarchy: Hierarchy) -> Option<Self> {
        let ahead = Self {
            hierarchy,
            busy: Arc::default(),
        };
        // Where a part of a tree is mounted alone, the path may lead to another group.
        let members = ahead.own().and_then(fs::read_to_string);
        let pid = std::process::id().to_string();
        match members {
            Ok(members) if members.lines().any(|member| member == pid) => return Some(ahead),
            Ok(_) => debug!("the own control group is not where its path leads: each start waits for the kernel"),
            Err(error) => debug!(%error, "cannot find the own control group: each start waits for the kernel"),
        }
        None
    }

    /// Waits for the lock in the background. It waits once for all who ask at the same time.
    pub(crate) fn wait(&self) {
        if self.busy.swap(true, Ordering::AcqRel) {
            return;
        }
        let ahead = self.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = ahead.own().and_then(|own| fs::write(own, "0")) {
                debug!(%error, "cannot wait for the kernel ahead of a start");
            }
            ahead.busy.store(false, Ordering::Release);
        });
    }

    /// The file with the members of the group that this process is in.
    fn own(&self) -> io::Result<PathBuf> {
        let groups = fs::read_to_string(OWN_GROUPS)?;
        own_of(&groups, &self.hierarchy).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// The file with the members of the own group, by what `/proc/self/cgroup` says: in one tree, as the lock is the same for
/// all.
fn own_of(groups: &str, hierarchy: &Hierarchy) -> Option<PathBuf> {
    // NUMBER:CONTROLLERS:GROUP, without controllers in version 2
    let mut lines = groups
        .lines()
        .filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let (tree, controller) = match hierarchy {
        Hierarchy::V1 { controllers, .. } => (controllers.get("pids")?, "pids"),
        Hierarchy::V2(tree) => (tree, ""),
    };
    let is_own = |controllers: &str| controllers.split(',').any(|name| name == controller);
    let (_, group) = lines.find(|(controllers, _)| is_own(controllers))?;
    Some(tree.join(group.trim_start_matches('/')).join("cgroup.procs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_in_either_version() {
        let v2 = Hierarchy::V2("/sys/fs/cgroup".into());
        let own = own_of("0::/system.slice/orchestrator-oci.service\n", &v2).unwrap();
        assert_eq!(
            own,
            PathBuf::from("/sys/fs/cgroup/system.slice/orchestrator-oci.service/cgroup.procs")
        );
        let controllers = [("pids".to_owned(), PathBuf::from("/sys/fs/cgroup/pids"))].into();
        let v1 = Hierarchy::V1 {
            controllers,
            unified: None,
        };
        let groups = "9:name=systemd:/a\n4:memory:/a:b\n3:pids,freezer:/a/b:c\n0::/\n";
        assert_eq!(
            own_of(groups, &v1).unwrap(),
            PathBuf::from("/sys/fs/cgroup/pids/a/b:c/cgroup.procs")
        );
        assert_eq!(own_of("0::/\n", &v1), None);
        assert_eq!(own_of("nonsense\n", &v2), None);
    }

    /// A tree on disk in which the own group has these members. `None` on a machine without version 2.
    struct Tree(Hierarchy, PathBuf);

    impl Tree {
        fn new(name: &str, members: &str) -> Option<Self> {
            let place = std::env::temp_dir().join(format!("orchestrator-ahead-{}-{name}", std::process::id()));
            let hierarchy = Hierarchy::V2(place);
            let own = own_of(&fs::read_to_string(OWN_GROUPS).unwrap(), &hierarchy)?;
            fs::create_dir_all(own.parent().unwrap()).unwrap();
            fs::write(&own, members).unwrap();
            Some(Self(hierarchy, own))
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            if let Hierarchy::V2(place) = &self.0 {
                let _ = fs::remove_dir_all(place);
            }
        }
    }

    #[test]
    fn a_process_that_is_not_in_the_group_that_its_path_leads_to_never_waits() {
        assert!(Ahead::new(Hierarchy::V2("/nowhere".into())).is_none());
        let pid = std::process::id();
        for (members, waits) in [("1\n", false), ("", false), (&*format!("1\n{pid}\n"), true)] {
            if let Some(Tree(hierarchy, _)) = &Tree::new("members", members) {
                assert_eq!(Ahead::new(hierarchy.clone()).is_some(), waits, "{members:?}");
            }
        }
    }

    #[tokio::test]
    async fn it_waits_in_the_own_group() {
        let Some(tree) = Tree::new("waits", &format!("{}\n", std::process::id())) else {
            return;
        };
        let ahead = Ahead::new(tree.0.clone()).unwrap();
        ahead.wait();
        while ahead.busy.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
        assert_eq!(fs::read_to_string(&tree.1).unwrap(), "0");
    }
}
