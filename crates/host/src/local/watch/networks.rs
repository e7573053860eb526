//! Watches bridges and the host ends of attachments.

use std::time::Duration;

use orchestrator_network::LinkChange;
use orchestrator_runtime::causes::with_causes;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::{QUEUE, report};
use crate::local::LocalHost;
use crate::{Cause, HostChange};

/// How long after an instance is gone it is seen whether its bridge is needed: many go together.
const GATHER: Duration = Duration::from_secs(1);

impl LocalHost {
    /// Watches the networks until the kernel's stream breaks or nobody listens.
    pub(in crate::local) async fn watch_networks(&self, changes: &mpsc::Sender<HostChange>) -> Cause {
        let (sender, mut received) = mpsc::channel(QUEUE);
        let pass_on = async {
            let mut tidy_at = None;
            loop {
                let change = tokio::select! {
                    Some(change) = received.recv() => change,
                    () = at(tidy_at) => {
                        tidy_at = None;
                        self.remove_unused_bridges().await;
                        continue;
                    }
                    // The sender lives in the watch, which says why it ended.
                    else => std::future::pending().await,
                };
                if matches!(change, LinkChange::Everything | LinkChange::AttachmentGone { .. }) {
                    tidy_at.get_or_insert_with(|| Instant::now() + GATHER);
                }
                if let Err(fault) = self.link_changed(change, changes).await {
                    return fault;
                }
            }
        };
        tokio::select! {
            fault = self.network().watch(sender) => fault.into(),
            fault = pass_on => fault,
        }
    }

    /// Removes joined bridges without instances. What cannot be removed now is tried again when the next instance goes.
    async fn remove_unused_bridges(&self) {
        match self.network().remove_joined(&self.alias_prefix()).await {
            Ok(gone) => {
                for joined in gone {
                    tracing::info!(joined, "a joined bridge without instances was removed");
                }
            }
            Err(fault) => tracing::warn!(reason = with_causes(&fault), "a joined bridge could not be removed"),
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

/// Waits until then; for ever if there is no such time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
