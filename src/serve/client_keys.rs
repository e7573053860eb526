//! The SSH keys of clients: those on their own lists, and those of their reservations.

use orchestrator_model::{ClientId, ClientKeys, Lease, Leased};
use orchestrator_settings::{Current, ReservedKeys};
use orchestrator_store::{Holding, Store, StoreError};

/// Reads them at each request.
#[derive(Clone)]
pub(super) struct KeysOfClients {
    pub(super) store: Store,
    pub(super) settings: Current,
}

impl KeysOfClients {
    /// The keys of a client; none of one that is not known.
    pub(super) async fn of(&self, client: ClientId) -> Result<ClientKeys, StoreError> {
        match self.store.holding(client).await? {
            Some(holding) => self.of_holding(&holding).await,
            None => Ok(ClientKeys::default()),
        }
    }

    /// The keys of a client of which it is known what it holds.
    pub(super) async fn of_holding(&self, holding: &Holding) -> Result<ClientKeys, StoreError> {
        let settings = self.settings.get();
        let link = settings.link(&holding.client.link);
        let holders = holding.holders();
        let held: Vec<Leased> = holding.active_leases.iter().map(|lease: &Lease| lease.leased).collect();
        let declared = link.into_iter().flat_map(|link| &link.reserved_keys);
        let own = declared.filter(|keys: &&ReservedKeys| keys.are_of(&holders, &held));
        let mut reserved: Vec<String> = own.flat_map(|keys| keys.keys.iter().cloned()).collect();
        reserved.extend(self.store.reserved_keys(holding).await?);
        Ok(ClientKeys {
            own: self.store.authorized_keys(holding.client.id).await?,
            reserved,
        })
    }
}
