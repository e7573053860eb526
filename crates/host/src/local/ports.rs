//! Checks that an instance can have ports on its bridges.

use orchestrator_network::NetworkError;

use super::LocalHost;
use crate::{AttachmentPlan, InstancePlan};

impl LocalHost {
    /// Checks before anything is started that every bridge is there and may be joined.
    ///
    /// # Errors
    ///
    /// [`BridgeMissing`](NetworkError::BridgeMissing), [`BridgeFull`](NetworkError::BridgeFull) and what the kernel
    /// says otherwise.
    pub(super) async fn check_ports(&self, plan: &InstancePlan) -> Result<(), NetworkError> {
        for attachment in &plan.attachments {
            let bridge = || attachment.bridge.clone();
            if self.network().find_bridge(&attachment.bridge).await?.is_none() {
                return Err(NetworkError::BridgeMissing { bridge: bridge() });
            }
            if !attachment.may_take_port && !self.has_port(attachment).await? {
                return Err(NetworkError::BridgeFull { bridge: bridge() });
            }
        }
        Ok(())
    }

    /// Whether the attachment is on its bridge already.
    async fn has_port(&self, attachment: &AttachmentPlan) -> Result<bool, NetworkError> {
        let found = self
            .network()
            .find_attachment(&attachment.host_end(), &self.alias_prefix())
            .await?;
        Ok(found.is_some_and(|found| found.bridge.as_ref() == Some(&attachment.bridge)))
    }
}
