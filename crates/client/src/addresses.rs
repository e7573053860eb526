//! The addresses of the client's leases on the interface, and the result of their duplicate address detection.
//!
//! ```text
//!   lend ──▶ checking ──detection is over──▶ ready ──▶ withdrawn
//!               └──vanished, or marked by the kernel──▶ duplicate
//! ```

use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::time::Duration;

use orchestrator_network::{AddressState, Network, NetworkError};

/// The addresses of one interface.
#[derive(Debug)]
pub(super) struct Addresses {
    network: Network,
    index: u32,
    /// Addresses whose duplicate address detection is not over.
    checking: BTreeSet<Ipv6Addr>,
    /// Addresses that no other host has.
    ready: BTreeSet<Ipv6Addr>,
}

/// The result of duplicate address detection for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checked {
    /// It may be used.
    Ready(Ipv6Addr),
    /// Someone else has it.
    Duplicate(Ipv6Addr),
}

impl Addresses {
    pub(super) fn new(network: Network, index: u32) -> Self {
        Self {
            network,
            index,
            checking: BTreeSet::new(),
            ready: BTreeSet::new(),
        }
    }

    /// Whether all addresses may be used.
    pub(super) fn are_ready(&self) -> bool {
        self.checking.is_empty()
    }

    /// Adds an address to the interface, or extends its lifetimes.
    pub(super) async fn lend(
        &mut self,
        address: Ipv6Addr,
        preferred: Duration,
        valid: Duration,
    ) -> Result<(), NetworkError> {
        self.network.lend_address(self.index, address, preferred, valid).await?;
        if !self.ready.contains(&address) {
            self.checking.insert(address);
        }
        Ok(())
    }

    /// Removes an address.
    pub(super) async fn withdraw(&mut self, address: Ipv6Addr) -> Result<(), NetworkError> {
        self.checking.remove(&address);
        self.ready.remove(&address);
        self.network.remove_address(self.index, address).await
    }

    /// Forgets all results, because the interface went down. The kernel may remove the addresses then, which does not
    /// mean that another host has them.
    pub(super) fn forget(&mut self) {
        self.checking.clear();
        self.ready.clear();
    }

    /// The results of duplicate address detection since the last call.
    pub(super) async fn check(&mut self) -> Result<Vec<Checked>, NetworkError> {
        let mut checked = Vec::new();
        for address in self.checking.clone() {
            let found = match self.network.address_state(self.index, address).await? {
                AddressState::Tentative => continue,
                AddressState::Ready => {
                    self.ready.insert(address);
                    Checked::Ready(address)
                }
                AddressState::Duplicate | AddressState::Absent => Checked::Duplicate(address),
            };
            self.checking.remove(&address);
            checked.push(found);
        }
        Ok(checked)
    }
}
