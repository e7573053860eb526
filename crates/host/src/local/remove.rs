//! Takes an instance out of the world.

use super::LocalHost;
use crate::{AttachmentPlan, Cause, ContainerRef, RemovalPlan};

impl LocalHost {
    /// Removes everything, and returns why for each piece that is still there.
    pub(super) async fn remove_all(&self, plan: &RemovalPlan) -> Vec<Cause> {
        // A route goes before the attachment that it leads to, so that its prefix never leads to somebody else.
        let routes = self.remove_routes(&plan.routes).await;
        let (containers, attachments) = tokio::join!(self.remove_containers(plan), self.remove_attachments(plan));
        let namespace = self.remove_namespace_of(plan).await;
        if let Some(id) = plan.id {
            self.saw_network(id, None);
        }
        let pieces = routes.into_iter().chain(containers);
        pieces.chain(attachments).chain(namespace).collect()
    }

    /// Those that share the network of the first one go before it.
    async fn remove_containers(&self, plan: &RemovalPlan) -> Vec<Cause> {
        let mut causes = Vec::new();
        for container in plan.containers.iter().rev() {
            causes.extend(self.remove_container(container).await.err());
        }
        causes
    }

    async fn remove_container(&self, container: &ContainerRef) -> Result<(), Cause> {
        let engine = self.engine(&container.engine)?;
        Ok(engine.remove(&container.container()).await?)
    }

    pub(super) async fn remove_attachments(&self, plan: &RemovalPlan) -> Vec<Cause> {
        let named = plan.attachments.iter().map(|id| AttachmentPlan::host_end_of(*id));
        let host_ends: Vec<String> = named.chain(plan.host_ends.iter().cloned()).collect();
        let prefix = self.alias_prefix();
        let removed = match host_ends.as_slice() {
            [] => Ok(()),
            [one] => self.network().remove_attachment(one, &prefix).await,
            several => self.network().remove_attachments(several, &prefix).await,
        };
        removed.err().map(Cause::from).into_iter().collect()
    }

    pub(super) async fn remove_namespace_of(&self, plan: &RemovalPlan) -> Option<Cause> {
        self.remove_namespace(plan.id?).await.err().map(Cause::from)
    }
}
