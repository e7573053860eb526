//! The last advertisement of a router that hosts may still rely on.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use orchestrator_dhcp6::advert::RouterAdvertisement;
use orchestrator_network::Icmp6Socket;
use orchestrator_runtime::metrics::Metrics;

use super::{ALL_NODES, open_socket};

/// The last advertisement on a link that was not withdrawn since. Clones share it.
///
/// It outlives the advertisers of the link, so that the router is withdrawn even if the settings stop wanting it while
/// no advertiser runs (RFC 4861, section 6.2.5).
#[derive(Debug, Clone, Default)]
pub struct Standing(Arc<Mutex<Option<RouterAdvertisement>>>);

impl Standing {
    /// Withdraws the router on a bridge if one was advertised there. Opens a socket for it, in the network namespace of
    /// the calling thread.
    ///
    /// # Errors
    ///
    /// When the socket cannot be opened or does not send. Then the router is not withdrawn: try again.
    pub fn withdraw_on(&self, bridge: &str, index: u32, metrics: &Metrics) -> io::Result<()> {
        if self.get().is_none() {
            return Ok(());
        }
        self.withdraw(bridge, &open_socket(bridge, index)?, metrics)
    }

    /// Sends the last advertisement, if one is due.
    pub(super) fn withdraw(&self, bridge: &str, socket: &Icmp6Socket, metrics: &Metrics) -> io::Result<()> {
        let Some(last) = self.get() else {
            return Ok(());
        };
        if let Err(fault) = socket.send(&last.farewell().encode(), ALL_NODES) {
            metrics.advertised("unsent");
            return Err(fault);
        }
        metrics.advertised("farewell");
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        tracing::info!(bridge, "withdrew this machine as a router of the link");
        Ok(())
    }

    /// Records a sent advertisement.
    pub(super) fn set(&self, sent: &RouterAdvertisement) {
        let mut standing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if standing.as_ref() != Some(sent) {
            *standing = Some(sent.clone());
        }
    }

    fn get(&self) -> Option<RouterAdvertisement> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
