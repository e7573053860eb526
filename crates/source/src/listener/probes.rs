//! The probes of a link that are under way.

use std::pin::Pin;

use futures_util::stream::{FuturesUnordered, StreamExt};
use orchestrator_dhcp6::{Bindings, Place};
use orchestrator_network::Bridge;

use super::probe::is_there;
use orchestrator_runtime::metrics::Metrics;

/// The number of places that are asked at the same time. Each takes a socket, and a stranger can cause a probe.
const MOST: usize = 64;

type Probe = Pin<Box<dyn Future<Output = (Place, bool)> + Send>>;

/// Asks the holders of leases whether they are still there.
pub(super) struct Probes {
    /// The bridge of the link; a link without one cannot ask anybody.
    bridge: Option<Bridge>,
    running: FuturesUnordered<Probe>,
    metrics: Metrics,
}

impl Probes {
    pub(super) fn new(bridge: Option<&Bridge>, metrics: Metrics) -> Self {
        Self {
            bridge: bridge.cloned(),
            running: FuturesUnordered::new(),
            metrics,
        }
    }

    /// Begins to ask a place, unless it is being asked or its answer is known.
    ///
    /// On a link without a bridge on this machine all clients come through trusted relay agents, and no holder can be
    /// asked: there, a client may take its lease along at once.
    pub(super) fn ask(&mut self, place: Place, bindings: &mut Bindings, now: i64) {
        if self.running.len() >= MOST || !bindings.ask(place, now) {
            return;
        }
        let Some(bridge) = self.bridge.clone() else {
            return bindings.settle(place, false, now);
        };
        let metrics = self.metrics.clone();
        self.running.push(Box::pin(async move {
            let asked = is_there(&bridge, &place).await;
            let is_there = asked.as_ref().copied().unwrap_or_else(|fault| {
                if let Some(held_back) = metrics.log_limit().admit("holder-unasked") {
                    let (bridge, error) = (&bridge.name, fault as &dyn std::error::Error);
                    tracing::warn!(bridge, %place, error, held_back, "the holder of a lease cannot be asked; it keeps the lease");
                }
                true
            });
            metrics.dhcp6_holder_probe(match &asked {
                Ok(true) => "there",
                Ok(false) => "gone",
                Err(_) => "failed",
            });
            (place, is_there)
        }));
    }

    /// Waits for the next result; for ever if no probe is under way. Cancel-safe.
    pub(super) async fn next(&mut self) -> (Place, bool) {
        match self.running.next().await {
            Some(result) => result,
            None => std::future::pending().await,
        }
    }
}
