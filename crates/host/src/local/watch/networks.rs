//! Watches bridges and the host ends of attachments.

use orchestrator_network::LinkChange;
use tokio::sync::mpsc;

use super::{QUEUE, report};
use crate::local::LocalHost;
use crate::{Cause, HostChange};

impl LocalHost {
    /// Watches the networks until the kernel's stream breaks or nobody listens.
    pub(in crate::local) async fn watch_networks(&self, changes: &mpsc::Sender<HostChange>) -> Cause {
        let (sender, mut received) = mpsc::channel(QUEUE);
        let pass_on = async {
            while let Some(change) = received.recv().await {
                if let Err(fault) = self.link_changed(change, changes).await {
                    return fault;
                }
            }
            // The sender lives in the watch, which says why it ended.
            std::future::pending().await
        };
        tokio::select! {
            fault = self.network().watch(sender) => fault.into(),
            fault = pass_on => fault,
        }
    }

    async fn link_changed(&self, change: LinkChange, changes: &mpsc::Sender<HostChange>) -> Result<(), Cause> {
        match change {
            // Ports fall off a bridge that goes away, and are put back on the one that comes.
            LinkChange::Everything | LinkChange::BridgeGone { .. } => report(changes, HostChange::Networks).await,
            LinkChange::BridgeUp { name } => report(changes, HostChange::BridgeUp { name }).await,
            LinkChange::BridgeDown { .. } => Ok(()),
            LinkChange::AttachmentChanged { host_interface, alias } => {
                self.attachment_changed(&host_interface, &alias, changes).await
            }
            LinkChange::AttachmentGone { alias, .. } => {
                report(changes, HostChange::PortFreed).await?;
                match self.owner(&alias) {
                    Some(id) => report(changes, HostChange::Instance(id)).await,
                    None => Ok(()),
                }
            }
        }
    }

    /// Reports a change, unless it was the beginning of a removal, which is reported by itself.
    async fn attachment_changed(
        &self,
        host_end: &str,
        alias: &str,
        changes: &mpsc::Sender<HostChange>,
    ) -> Result<(), Cause> {
        let Some(id) = self.owner(alias) else { return Ok(()) };
        match self.network().find_attachment(host_end, &self.alias_prefix()).await {
            Ok(Some(_)) => report(changes, HostChange::Instance(id)).await,
            Ok(None) | Err(_) => Ok(()),
        }
    }
}
