//! Watches all interfaces and their addresses.

use tokio::sync::mpsc;

use super::report;
use crate::local::LocalHost;
use crate::{Cause, HostChange};

impl LocalHost {
    /// Watches the interfaces until the kernel's stream breaks or nobody listens.
    pub(in crate::local) async fn watch_interfaces(&self, changes: &mpsc::Sender<HostChange>) -> Cause {
        // One that waits is enough: it says only that something changed.
        let (sender, mut received) = mpsc::channel(1);
        let pass_on = async {
            while received.recv().await.is_some() {
                if let Err(fault) = report(changes, HostChange::Interfaces).await {
                    return fault;
                }
            }
            // The sender lives in the watch, which says why it ended.
            std::future::pending().await
        };
        tokio::select! {
            fault = self.network().watch_interfaces(sender) => fault.into(),
            fault = pass_on => fault,
        }
    }
}
