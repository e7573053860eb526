//! Addresses of a bridge at which this machine serves something.

use std::net::Ipv6Addr;

use crate::address::{list_all_addresses, remove_service_address};
use crate::{Network, NetworkError};

impl Network {
    /// The addresses of a bridge with our mark. None where there is no such bridge.
    ///
    /// # Errors
    ///
    /// When the kernel refuses or does not answer.
    pub async fn services_of(&self, bridge: &str) -> Result<Vec<Ipv6Addr>, NetworkError> {
        let Some(bridge) = self.find_bridge(bridge).await? else {
            return Ok(Vec::new());
        };
        let held = list_all_addresses(&self.netlink).await?;
        let own = held
            .iter()
            .filter(|held| held.interface == bridge.index && held.service);
        Ok(own.map(|held| held.address.addr()).collect())
    }

    /// Removes an address of a bridge at which this machine served something. Success if it is gone already.
    ///
    /// # Errors
    ///
    /// When the kernel refuses or does not answer.
    pub async fn remove_service(&self, bridge: &str, address: Ipv6Addr) -> Result<(), NetworkError> {
        let Some(found) = self.find_bridge(bridge).await? else {
            return Ok(());
        };
        let removed = remove_service_address(&self.netlink, found.index, address).await;
        removed.map_err(|failure| failure.doing(format!("removing {address} from bridge {bridge}")))
    }
}
