//! Stops an instance and keeps its files.

use super::LocalHost;
use crate::{Cause, ContainerRef, RemovalPlan};

impl LocalHost {
    /// Stops every container, and takes down the wiring. Returns why for each piece that could not be.
    pub(super) async fn halt(&self, plan: &RemovalPlan) -> Vec<Cause> {
        // A route goes before the attachment that it leads to, so that its prefix never leads to somebody else.
        let mut causes = self.remove_routes(&plan.routes).await;
        // Those that share the network of the first one end before it.
        for container in plan.containers.iter().rev() {
            causes.extend(self.stop_container(container).await.err());
        }
        causes.extend(self.remove_attachments(plan).await);
        causes.extend(self.remove_namespace_of(plan).await);
        if let Some(id) = plan.id {
            self.saw_network(id, None);
        }
        causes
    }

    async fn stop_container(&self, container: &ContainerRef) -> Result<(), Cause> {
        let engine = self.engine(&container.engine)?;
        Ok(engine.stop(&container.container()).await?)
    }
}
