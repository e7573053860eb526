//! Watches engines and networks for what happens behind our back.

mod engines;
mod heartbeat;
mod interfaces;
mod networks;
mod routes;

use tokio::sync::mpsc;

use crate::{Cause, HostChange};

/// Reports that may queue within the host; beyond it, the watch itself waits.
pub(super) const QUEUE: usize = 1024;

pub(super) async fn report(changes: &mpsc::Sender<HostChange>, change: HostChange) -> Result<(), Cause> {
    changes.send(change).await.map_err(|_| Cause::Unheeded)
}
