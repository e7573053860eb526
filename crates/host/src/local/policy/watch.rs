//! Keeps the packet filter right: ports that come and go, and rules that somebody else changes.

use orchestrator_network::{FilterChange, SegmentChange};
use tokio::sync::mpsc;

use crate::local::LocalHost;
use crate::local::watch::{QUEUE, report};
use crate::{Cause, HostChange, RebuildReason};

impl LocalHost {
    /// Watches the rules and the ports until the kernel's stream breaks or nobody listens.
    pub(in crate::local) async fn watch_policy(&self, changes: &mpsc::Sender<HostChange>) -> Cause {
        let filter = match self.open_filter_in_use().await {
            Ok(filter) => filter,
            Err(fault) => return fault,
        };
        let (rules, mut changed) = mpsc::channel(QUEUE);
        let (ports, mut moved) = mpsc::channel(QUEUE);
        let pass_on = async {
            loop {
                let outcome = tokio::select! {
                    Some(change) = changed.recv() => self.rules_changed(change, changes).await,
                    Some(change) = moved.recv() => self.ports_changed(change).await,
                    // The senders live in the watches, which say why they ended.
                    else => std::future::pending().await,
                };
                if let Err(fault) = outcome {
                    return fault;
                }
            }
        };
        tokio::select! {
            fault = filter.watch(rules) => fault.into(),
            fault = self.network().watch_segments(ports) => fault.into(),
            fault = pass_on => fault,
            () = changes.closed() => Cause::Unheeded,
        }
    }

    /// The filter that changes go through, so that they are known as our own.
    async fn open_filter_in_use(&self) -> Result<orchestrator_network::Filter, Cause> {
        let mut state = self.inner.policy.lock().await;
        let opened = self.open_policy(&mut state).await?;
        Ok(opened.filter.clone())
    }

    async fn rules_changed(&self, change: FilterChange, changes: &mpsc::Sender<HostChange>) -> Result<(), Cause> {
        let mut state = self.inner.policy.lock().await;
        if change == FilterChange::Begun {
            drop(state);
            return report(changes, HostChange::Policy).await;
        }
        // Before the first whole there is nothing to be restored.
        let Some(opened) = state
            .opened
            .as_mut()
            .filter(|opened| opened.book.keys().next().is_some())
        else {
            return Ok(());
        };
        let repair = opened.filter.ensure(&opened.book.elements()).await?;
        if !repair.loaded && repair.elements == 0 {
            return Ok(());
        }
        state.repairs.count(RebuildReason::Foreign);
        tracing::warn!(
            rules = repair.loaded,
            elements = repair.elements,
            "another program had removed or changed the rules of the packet filter; they are restored"
        );
        drop(state);
        report(changes, HostChange::Policy).await
    }

    async fn ports_changed(&self, change: SegmentChange) -> Result<(), Cause> {
        let mut state = self.inner.policy.lock().await;
        let Some(opened) = state.opened.as_mut() else {
            return Ok(());
        };
        match change {
            SegmentChange::Everything => {
                let segments = self.network().segments().await?;
                opened.book.set_segments(segments);
            }
            SegmentChange::Port { port, bridge } => opened.book.set_port(port, bridge),
        }
        // Without a policy no port has a role, and no rules are there.
        if opened.book.keys().next().is_none() {
            return Ok(());
        }
        let written = opened.write().await.map_err(|(_, fault)| Cause::from(fault))?;
        state.repairs.wrote(written);
        Ok(())
    }
}
