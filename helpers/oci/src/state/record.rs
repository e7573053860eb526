//! What a container is.

use orchestrator_plugin::{Container, ContainerKey, ContainerName, ContainerSpec, InstanceId, SiteId};
use orchestrator_plugin_oci::protocol::LogBounds;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

use crate::image::Image;

/// `record.json`: everything that a container is made from.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Its name among all containers of the helper.
    pub(crate) name: String,
    /// Whose it is; `None` when it bears no mark.
    pub(crate) owner: Option<Owner>,
    /// The reference of the container that it took the place of.
    pub(crate) replaces: Option<String>,
    /// Nanoseconds since 1970 when it was made. No two have the same.
    pub(crate) created: u64,
    /// Its image.
    pub(crate) image: Image,
    /// Where its network is.
    pub(crate) network: NetworkRecord,
    /// What it is to be. The content of its files is kept apart, until its first start.
    pub(crate) spec: ContainerSpec,
    /// How much of its output is kept.
    #[serde(default)]
    pub(crate) log: LogBounds,
}

/// The mark of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Owner {
    /// The site.
    pub(crate) site: SiteId,
    /// The instance.
    pub(crate) instance: InstanceId,
    /// The name in the instance.
    pub(crate) container: ContainerName,
}

/// Where the network of a container is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NetworkRecord {
    /// In a namespace that is made at each start.
    Own,
    /// In the namespace at this path.
    Prepared(PathBuf),
    /// In the namespace of another container.
    Shared {
        /// Its name in the instance.
        name: ContainerName,
        /// Its reference.
        reference: String,
    },
}

impl Owner {
    /// The key.
    pub(crate) fn key(&self) -> ContainerKey {
        ContainerKey {
            instance: self.instance,
            name: self.container.clone(),
        }
    }
}

impl Record {
    /// Whether a caller of this site means this container: see [`Container::reference`].
    pub(crate) fn is_meant(&self, site: SiteId, container: &Container, reference: &str) -> bool {
        let is_marked = self
            .owner
            .as_ref()
            .is_some_and(|owner| owner.site == site && owner.key() == container.key);
        let is_recorded = match &container.reference {
            None => true,
            Some(recorded) => recorded == reference || self.replaces.as_ref() == Some(recorded),
        };
        is_marked && is_recorded
    }
}
