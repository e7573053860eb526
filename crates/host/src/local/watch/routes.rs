//! Watches the routes that carry our mark.

use std::collections::HashMap;

use orchestrator_network::RouteChange;
use tokio::sync::mpsc;

use super::{QUEUE, report};
use crate::local::LocalHost;
use crate::{Cause, HostChange};

impl LocalHost {
    /// Watches the routes until the kernel's stream breaks or nobody listens.
    pub(in crate::local) async fn watch_routes(&self, changes: &mpsc::Sender<HostChange>) -> Cause {
        let (sender, mut received) = mpsc::channel(QUEUE);
        let pass_on = async {
            while let Some(change) = received.recv().await {
                let change = match change {
                    RouteChange::Everything => HostChange::Routes,
                    RouteChange::Removed(route) => {
                        HostChange::RouteGone(self.found_route(route, &mut HashMap::new()).await)
                    }
                };
                if let Err(fault) = report(changes, change).await {
                    return fault;
                }
            }
            // The sender lives in the watch, which says why it ended.
            std::future::pending().await
        };
        tokio::select! {
            fault = self.network().watch_routes(self.route_mark(), sender) => fault.into(),
            fault = pass_on => fault,
        }
    }
}
