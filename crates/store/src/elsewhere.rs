//! Whether an address is known from a source other than the observation of neighbours.

use std::net::Ipv6Addr;

use super::connection::{fetch_optional, statements};
use super::{Store, StoreError};
use orchestrator_model::LinkLayerAddress;

statements! {
    LEASED_ELSEWHERE = "select l.address from leases l join clients c on c.id = l.client
        where l.link = $1 and l.state = 'active' and l.source <> 'neighbor' and (l.address = $2 or c.link_layer = $3)
        limit 1";
}

impl Store {
    /// Whether an address, or a client with this link-layer address, has a lease on the link from DHCPv6 or
    /// registration. This searches the leases of the link.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn is_leased_elsewhere(
        &self,
        link: &str,
        address: Ipv6Addr,
        link_layer: &LinkLayerAddress,
    ) -> Result<bool, StoreError> {
        let row = fetch_optional!(
            &mut self.snapshot().await?,
            "find leases of a neighbour",
            (String,),
            LEASED_ELSEWHERE,
            link,
            address.to_string(),
            link_layer.to_string(),
        )?;
        Ok(row.is_some())
    }
}
