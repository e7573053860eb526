//! The bridges on which the machine takes the advertisements of routers.

use std::collections::BTreeSet;
use std::path::Path;

use super::number;
use crate::Fact;

/// Those of `bridges` that are there, and on which the machine follows a router: `accept_ra` is 2, or it is 1 and packets
/// that arrive there are not passed on (the kernel's `ip-sysctl`).
pub(super) fn read(root: &Path, bridges: &BTreeSet<String>) -> Fact<BTreeSet<String>> {
    let mut accepting = BTreeSet::new();
    for name in bridges {
        let directory = format!("proc/sys/net/ipv6/conf/{name}");
        // A bridge that is missing, or has no IPv6, is reported elsewhere. The name becomes part of a path.
        if name.contains('/') || name.starts_with('.') || !root.join(&directory).is_dir() {
            continue;
        }
        let (accept_ra, forwards) = (
            number(root, &format!("{directory}/accept_ra"))?,
            number(root, &format!("{directory}/forwarding"))?,
        );
        if accept_ra == 2 || (accept_ra == 1 && forwards == 0) {
            accepting.insert(name.clone());
        }
    }
    Ok(accepting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_passes_packets_on_follows_no_router_unless_the_setting_is_two() {
        let settings = [
            ("br0", 0, 0),
            ("br1", 1, 0),
            ("br2", 1, 1),
            ("br3", 2, 1),
            ("eth0", 2, 0),
        ];
        let texts: Vec<(String, String)> = settings
            .iter()
            .flat_map(|(name, accept_ra, forwards)| {
                let path = |key: &str| format!("proc/sys/net/ipv6/conf/{name}/{key}");
                [
                    (path("accept_ra"), format!("{accept_ra}\n")),
                    (path("forwarding"), format!("{forwards}\n")),
                ]
            })
            .collect();
        let files: Vec<(&str, &str)> = texts
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        let root = super::super::tree("accepting", &files);
        let bridges = ["br0", "br1", "br2", "br3", "br4", "../br1"].map(str::to_owned);
        let found = read(&root, &BTreeSet::from(bridges)).unwrap();
        assert_eq!(found, BTreeSet::from(["br1", "br3"].map(str::to_owned)));
        std::fs::remove_dir_all(root).unwrap();
    }
}
