//! Containers that share the network namespace of another container of their instance.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orchestrator_plugin::{Container, SiteId};
use orchestrator_plugin_oci::protocol::{Fault, Network, Verb};

use super::entry::Alive;
use super::{Entry, Helper};
use crate::state::NetworkRecord;

/// The file systems of namespaces, as `statfs` names them.
const NAMESPACES: i64 = 0x6e73_6673;

impl Helper {
    /// The network of a container that is made now, and the container that it shares one with.
    ///
    /// # Errors
    ///
    /// [`Fault::NotRunning`] when that one does not run.
    pub(super) fn network(
        &self,
        site: SiteId,
        container: &Container,
        network: &Network,
    ) -> Result<(NetworkRecord, Option<Arc<Entry>>), Fault> {
        let with = match network {
            Network::Own => return Ok((NetworkRecord::Own, None)),
            Network::Prepared(path) => return Ok((NetworkRecord::Prepared(path.clone()), None)),
            Network::Shared(with) => with.container(),
        };
        let name = with.key.engine_name();
        if with.key.instance != container.key.instance || with.key.name == container.key.name {
            let reason = "it is not another container of the same instance";
            return Err(Fault::refused(Verb::ShareNetwork, name, reason));
        }
        let other = self.find_entry(site, &with).filter(|other| other.alive().is_some());
        let other = other.ok_or_else(|| Fault::not_running(Verb::ShareNetwork, name))?;
        let shared = NetworkRecord::Shared {
            name: with.key.name,
            reference: other.reference.clone(),
        };
        Ok((shared, Some(other)))
    }

    /// The namespace that a container joins when it starts; `None` makes one.
    pub(super) fn netns(&self, entry: &Entry) -> Result<Option<PathBuf>, Fault> {
        match &entry.record().network {
            NetworkRecord::Own => Ok(None),
            NetworkRecord::Prepared(path) => match is_namespace(path) {
                true => Ok(Some(path.clone())),
                false => {
                    let reason = format!("there is no network namespace at {}", path.display());
                    Err(Fault::failed(Verb::Start, &entry.record().name, reason))
                }
            },
            NetworkRecord::Shared { reference, .. } => {
                let other = self.index().by_reference(reference);
                let alive = other.and_then(|other| other.alive());
                let alive = alive.ok_or_else(|| Fault::not_running(Verb::ShareNetwork, reference.clone()))?;
                Ok(Some(path_of(&alive)))
            }
        }
    }
}

/// Whether a container was made to share the network of another container than the one that is there now. It can never be
/// started again.
pub(super) fn is_of_another(entry: &Entry, other: Option<&Arc<Entry>>) -> bool {
    let Some(other) = other else { return false };
    match &entry.record().network {
        NetworkRecord::Shared { reference, .. } => *reference != other.reference,
        NetworkRecord::Own | NetworkRecord::Prepared(_) => true,
    }
}

/// Whether a container runs in a namespace that the other one left when it was started again. What cannot be seen is taken
/// for right.
pub(super) fn was_left(entry: &Entry, other: Option<&Arc<Entry>>) -> bool {
    let (Some(own), Some(other)) = (entry.alive(), other.and_then(|other| other.alive())) else {
        return false;
    };
    let inode = |alive: &Alive| std::fs::metadata(path_of(alive)).map(|found| (found.dev(), found.ino()));
    match (inode(&own), inode(&other)) {
        (Ok(own), Ok(other)) => own != other,
        _ => false,
    }
}

fn path_of(alive: &Alive) -> PathBuf {
    PathBuf::from(format!("/proc/{}/ns/net", alive.process.pid))
}

/// Whether there is a namespace at this path, and not a file that the runtime would take for one.
fn is_namespace(path: &Path) -> bool {
    path.is_absolute() && rustix::fs::statfs(path).is_ok_and(|found| found.f_type == NAMESPACES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_namespace_is_one() {
        assert!(is_namespace(Path::new("/proc/self/ns/net")));
        for path in ["/proc/self/status", "/nowhere", "proc/self/ns/net"] {
            assert!(!is_namespace(Path::new(path)), "{path}");
        }
    }
}
