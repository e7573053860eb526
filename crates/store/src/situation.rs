//! What the reconcile path looks at.

use super::connection::{fetch_all, statements};
use super::text::Columns;
use super::{Store, StoreError, clients, instances, leases};
use orchestrator_model::{Client, ClientId, Instance, Lease};

statements! {
    WANTING = "select distinct c.id from clients c join leases l on l.client = c.id
        where c.link = $1 and c.wants_instance = 1 and l.state = 'active'";
}

/// A client with what it holds and what it has: all of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Situation {
    /// The client.
    pub client: Client,
    /// The leases it holds, the oldest first.
    pub active_leases: Vec<Lease>,
    /// Its live instance.
    pub instance: Option<Instance>,
}

impl Store {
    /// The situation of a client; `None` when there is no such client.
    ///
    /// # Errors
    ///
    /// When the database is away or holds what cannot be read.
    pub async fn situation(&self, client: ClientId) -> Result<Option<Situation>, StoreError> {
        let mut tx = self.snapshot().await?;
        let Some(client) = clients::find(&mut tx, client).await? else {
            return Ok(None);
        };
        let active_leases = leases::active_leases(&mut tx, client.id).await?;
        let instance = instances::live_instance(&mut tx, client.id).await?;
        Ok(Some(Situation {
            client,
            active_leases,
            instance,
        }))
    }

    /// Every client of a link that holds a lease and is to have an instance, if the link provides any.
    ///
    /// # Errors
    ///
    /// When the database is away or holds what cannot be read.
    pub async fn wanting(&self, link: &str) -> Result<Vec<ClientId>, StoreError> {
        let rows = fetch_all!(
            &mut self.snapshot().await?,
            "find the clients that are to have an instance",
            (String,),
            WANTING,
            link
        )?;
        rows.iter().map(|(id,)| Columns("client").parse("id", id)).collect()
    }
}
