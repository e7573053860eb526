//! Changes the settings of this machine.

use std::fmt;
use std::path::Path;

use crate::machine::{NEIGHBOR_LIMITS, number, read_routed};
use crate::{Fact, Fix};

/// Why a fix failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MendError(pub String);

impl fmt::Display for MendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MendError {}

/// Carries out a fix of the machine's own settings, in the network namespace of the calling thread. Returns each thing
/// that was done; nothing if all was right already. `root` is `/` but in tests.
///
/// The settings hold until the next start of the machine.
///
/// # Errors
///
/// When a setting cannot be read or written; when the fix is not one of the machine ([`Fix::is_of_machine`]).
pub fn mend_machine(root: &Path, fix: &Fix) -> Result<Vec<String>, MendError> {
    let mended = match fix {
        Fix::Forwarding => forward(root),
        Fix::AcceptRouter { interface } => accept_router(root, interface).map(|done| done.into_iter().collect()),
        Fix::NeighborTable { entries } => enlarge(root, *entries),
        _ => Err("only the daemon can do this".to_owned()),
    };
    mended.map_err(MendError)
}

/// Has the machine forward packets. Interfaces that have their default route from a router's advertisement go on accepting
/// advertisements.
fn forward(root: &Path) -> Fact<Vec<String>> {
    let mut done = Vec::new();
    for routed in read_routed(root)?.iter().filter(|routed| routed.accept_ra == 1) {
        done.extend(accept_router(root, &routed.name)?);
    }
    done.extend(set(root, "net/ipv6/conf/all/forwarding", 1, |found| found != 0)?);
    Ok(done)
}

fn accept_router(root: &Path, interface: &str) -> Fact<Option<String>> {
    if interface.contains('/') || interface.starts_with('.') {
        return Err(format!("{interface:?} is no name of an interface"));
    }
    // 0 was set by somebody: no advertisements are wanted there.
    set(root, &format!("net/ipv6/conf/{interface}/accept_ra"), 2, |found| {
        found != 1
    })
}

/// Each limit is only raised, the largest first, so that they are in order at every moment.
fn enlarge(root: &Path, entries: u64) -> Fact<Vec<String>> {
    let directory = NEIGHBOR_LIMITS.trim_start_matches("proc/sys/");
    let mut done = Vec::new();
    for (name, value) in [
        ("gc_thresh3", entries),
        ("gc_thresh2", entries / 2),
        ("gc_thresh1", entries / 4),
    ] {
        done.extend(set(root, &format!("{directory}/{name}"), value, |found| {
            found >= value
        })?);
    }
    Ok(done)
}

/// Sets a setting unless it is right. Returns what was done.
fn set(root: &Path, setting: &str, value: u64, is_right: impl FnOnce(u64) -> bool) -> Fact<Option<String>> {
    let path = format!("proc/sys/{setting}");
    let before = number(root, &path)?;
    if is_right(before) {
        return Ok(None);
    }
    std::fs::write(root.join(&path), value.to_string()).map_err(|fault| format!("cannot write /{path}: {fault}"))?;
    Ok(Some(format!(
        "set {}={value} (it was {before}) until the next start of this machine",
        setting.replace('/', ".")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::tree;

    fn value(root: &Path, path: &str) -> String {
        std::fs::read_to_string(root.join(path)).unwrap().trim().to_owned()
    }

    #[test]
    fn forwarding_keeps_the_default_route_of_a_router() {
        let zero = "00000000000000000000000000000000";
        let route = format!("{zero} 00 {zero} 00 fe800000000000000000000000000001 400 1 0 00450003 eth0\n");
        let root = tree(
            "forward",
            &[
                ("proc/net/ipv6_route", &route),
                ("proc/sys/net/ipv6/conf/eth0/accept_ra", "1\n"),
                ("proc/sys/net/ipv6/conf/all/forwarding", "0\n"),
            ],
        );
        let done = mend_machine(&root, &Fix::Forwarding).unwrap();
        assert!(
            done[0].contains("eth0.accept_ra=2") && done[1].contains("all.forwarding=1"),
            "{done:?}"
        );
        assert_eq!(value(&root, "proc/sys/net/ipv6/conf/all/forwarding"), "1");
        assert_eq!(
            mend_machine(&root, &Fix::Forwarding).unwrap(),
            Vec::<String>::new(),
            "it is right now"
        );
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn limits_are_only_raised() {
        let root = tree(
            "enlarge",
            &[
                ("proc/sys/net/ipv6/neigh/default/gc_thresh1", "5000\n"),
                ("proc/sys/net/ipv6/neigh/default/gc_thresh2", "512\n"),
                ("proc/sys/net/ipv6/neigh/default/gc_thresh3", "1024\n"),
            ],
        );
        let fix = Fix::NeighborTable { entries: 8192 };
        assert_eq!(mend_machine(&root, &fix).unwrap().len(), 2);
        let found = ["gc_thresh1", "gc_thresh2", "gc_thresh3"]
            .map(|name| value(&root, &format!("proc/sys/net/ipv6/neigh/default/{name}")));
        assert_eq!(found, ["5000", "4096", "8192"]);
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let root = tree("nothing", &[("proc/x", "")]);
        let fault = mend_machine(&root, &Fix::Forwarding).unwrap_err();
        assert!(fault.to_string().contains("ipv6_route"), "{fault}");
        assert!(mend_machine(&root, &Fix::Rules).is_err());
        let interface = "../../x".to_owned();
        assert!(mend_machine(&root, &Fix::AcceptRouter { interface }).is_err());
        std::fs::remove_dir_all(root).unwrap();
    }
}
