//! Network namespaces that are made before their containers.

use std::path::PathBuf;

use orchestrator_plugin::InstanceId;

use super::LocalHost;

impl LocalHost {
    /// Where the network namespace of an instance is, if it is made by us. Other sites have other directories.
    pub(super) fn namespace_of(&self, instance: InstanceId) -> PathBuf {
        let site = self.inner.mark.site.to_string();
        self.inner.namespaces.join(site).join(instance.to_string())
    }
}
