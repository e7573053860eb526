//! Records that this machine is there, with its name and roles: when it was last seen is what other machines and people go
//! by, and its name and roles decide which services are placed on it.

use std::time::Duration;

use async_trait::async_trait;

use crate::serve::Context;
use crate::serve::hosts::Hosts;
use orchestrator_model::HostId;
use orchestrator_reconcile::driver::{Backoff, Failure, Next, Reconciler, Registration, Run};
use orchestrator_store::Store;

/// One statement each time, committed together with what else is written.
const PERIOD: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_secs(2);

pub(super) fn registration() -> Registration {
    Registration::new("host", "records that this machine is there, and its name and roles")
        .about(HostId::LOCAL)
        .every(PERIOD)
        .following_settings()
        .retrying(Backoff::new(RETRY, PERIOD))
}

/// Records when this machine was last seen.
pub(super) struct LocalHost {
    context: Context,
    store: Store,
    hosts: Hosts,
}

impl LocalHost {
    pub(super) fn new(context: &Context, store: &Store, hosts: Hosts) -> Self {
        Self {
            context: context.clone(),
            store: store.clone(),
            hosts,
        }
    }
}

#[async_trait]
impl Reconciler for LocalHost {
    async fn reconcile(&mut self, _: &Run) -> Result<Next, Failure> {
        let seen = self.store.saw_host(HostId::local(), self.context.clock.now()).await;
        seen.map_err(|fault| Failure::of(&fault))?;
        let read = self.hosts.refresh().await;
        read.map_err(|fault| Failure::of(&fault))?;
        Ok(Next::Wait)
    }
}
