//! Wires an instance that another scheduler starts.

use super::LocalHost;
use super::ensure::{netns, running};
use crate::{AdoptFault, Cause, ContainerRef, EnsureFault, Ensured, InstancePlan, Progress};

impl LocalHost {
    pub(super) async fn adopt_instance(&self, plan: &InstancePlan, progress: &Progress) -> Result<Ensured, AdoptFault> {
        let first = plan
            .containers
            .first()
            .ok_or(Cause::NoContainer)
            .map_err(EnsureFault::from)?;
        let engine = self.engine(&first.engine).map_err(EnsureFault::from)?.as_ref();
        let found = engine.find(&plan.container(first).container()).await;
        let found = found.map_err(EnsureFault::from)?.ok_or(AdoptFault::NotHere(plan.id))?;
        let started = running(found)?;
        progress.until_admitted().await;
        let path = netns(&started.running).map_err(EnsureFault::from)?;
        if let Err(source) = self.wire_all(plan, path).await {
            // It is not ours to stop: its scheduler would only start it again.
            let fate = crate::Unwired::Left;
            return Err(EnsureFault::NotWired { fate, source }.into());
        }
        self.saw_network(plan.id, started.running.netns());
        EnsureFault::of_pending(&plan.attachments)?;
        self.see_answer(plan, engine, &started, progress).await?;
        Ok(Ensured {
            containers: vec![ContainerRef {
                reference: started.container.reference,
                ..plan.container(first)
            }],
        })
    }
}
