//! Reads the facts of this machine. Nothing is changed.

mod abandoned;
mod accepting;
mod clock;
mod disk;
mod feature;
mod firewall;
mod neighbors;
mod process;
mod routed;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orchestrator_network::Network;
use orchestrator_runtime::causes::with_causes;
use serde::{Deserialize, Serialize};

pub use self::disk::examine_images;
pub(crate) use self::neighbors::LIMITS as NEIGHBOR_LIMITS;
pub(crate) use self::routed::read as read_routed;
use crate::{DiskFacts, Fact, FirewallFacts, MachineFacts, NeighborFacts, ProcessFacts, RoutedInterface};

/// How long reading files may take: a file system of a network may hang.
const LIMIT: Duration = Duration::from_secs(5);

/// What of a machine is to be examined.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineRequest {
    /// The directories whose file systems we use: for what, and where.
    pub disks: Vec<(String, PathBuf)>,
    /// Our own site; `None` if it is not known, and then no site is taken for abandoned.
    pub site: Option<String>,
    /// The mark of our own site's routes.
    pub mark: Option<u32>,
    /// The bridges of links and networks.
    pub bridges: BTreeSet<String>,
    /// Whether a link has isolation.
    pub has_isolation: bool,
    /// Whether an engine stacks images with overlayfs itself.
    pub needs_overlay: bool,
}

/// What is read from files.
struct OfFiles {
    forwarding: Fact<bool>,
    routed: Fact<Vec<RoutedInterface>>,
    accepting: Fact<BTreeSet<String>>,
    neighbors: NeighborFacts,
    bridged: Fact<Option<bool>>,
    legacy: Fact<Vec<String>>,
    has_overlay: Fact<bool>,
    disks: Vec<DiskFacts>,
    process: ProcessFacts,
}

/// Examines the machine in the network namespace of `network`, which has to be that of the calling thread as well.
/// `root` is `/` but in tests.
///
/// # Errors
///
/// Why nothing could be read.
pub async fn examine_machine(network: &Network, root: &Path, request: &MachineRequest) -> Fact<MachineFacts> {
    let files = read_files(root, request);
    let (files, chains, features, abandoned) = tokio::join!(
        files,
        network.dropping_chains(),
        network.try_features(),
        abandoned::find(network, request)
    );
    let files = files?;
    Ok(MachineFacts {
        forwarding: files.forwarding,
        routed: files.routed,
        accepting: files.accepting,
        neighbors: files.neighbors,
        firewall: FirewallFacts {
            bridged: files.bridged,
            chains: firewall::chains(chains.map_err(|fault| with_causes(&fault))),
            legacy: files.legacy,
        },
        features: feature::all(features, files.has_overlay, request),
        clock: clock::is_synchronised(),
        disks: files.disks,
        process: files.process,
        abandoned,
    })
}

/// Reads all files on a thread that may wait.
async fn read_files(root: &Path, request: &MachineRequest) -> Fact<OfFiles> {
    let (root, request) = (root.to_owned(), request.clone());
    let reading = tokio::task::spawn_blocking(move || OfFiles {
        forwarding: flag(&root, "proc/sys/net/ipv6/conf/all/forwarding"),
        routed: routed::read(&root),
        accepting: accepting::read(&root, &request.bridges),
        neighbors: neighbors::read(&root),
        bridged: firewall::bridged(&root),
        legacy: firewall::legacy(&root),
        has_overlay: feature::has_overlay(&root),
        disks: disk::read_all(&request.disks),
        process: process::read(&root),
    });
    match tokio::time::timeout(LIMIT, reading).await {
        Ok(Ok(files)) => Ok(files),
        Ok(Err(_ended)) => Err("the thread that read the machine's files ended".to_owned()),
        Err(_elapsed) => Err(format!(
            "reading the machine's files took longer than {} s",
            LIMIT.as_secs()
        )),
    }
}

/// The text of a file below `root`.
fn text(root: &Path, path: &str) -> Fact<String> {
    std::fs::read_to_string(root.join(path)).map_err(|fault| format!("/{path}: {fault}"))
}

/// A number that is alone in a file.
pub(crate) fn number(root: &Path, path: &str) -> Fact<u64> {
    let text = text(root, path)?;
    text.trim()
        .parse()
        .map_err(|_| format!("/{path} holds no number: {:?}", text.trim()))
}

/// Whether the number in a file is not 0.
fn flag(root: &Path, path: &str) -> Fact<bool> {
    Ok(number(root, path)? != 0)
}

/// A directory for the tests, with files in it.
#[cfg(test)]
pub(crate) fn tree(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let root = std::env::temp_dir().join(format!("doctor-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&root);
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_read_with_its_path_in_the_fault() {
        let root = tree(
            "setting",
            &[("proc/one", "1\n"), ("proc/zero", "0\n"), ("proc/odd", "many\n")],
        );
        assert_eq!(flag(&root, "proc/one"), Ok(true));
        assert_eq!(flag(&root, "proc/zero"), Ok(false));
        assert!(
            flag(&root, "proc/odd")
                .unwrap_err()
                .contains("/proc/odd holds no number")
        );
        assert!(flag(&root, "proc/none").unwrap_err().starts_with("/proc/none: "));
        std::fs::remove_dir_all(root).unwrap();
    }
}
