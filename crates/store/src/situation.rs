//! The situation of a slot, as the reconcilers read it.

use std::collections::BTreeSet;

use super::connection::{Tx, fetch_all, statements};
use super::text::Columns;
use super::{Store, StoreError, clients, instances, leases};
use orchestrator_model::{Client, ClientId, Instance, Lease, Owner, Slot, SlotKey};

statements! {
    WANTING = "select distinct c.id, c.class from clients c join leases l on l.client = c.id
        where c.link = $1 and c.wants_instance = 1 and l.state = 'active'";
    LIVE_SLOTS = "select slot from instances where owner_kind = $1 and owner = $2 and phase <> 'removed'";
}

/// A slot with the instance that fills it, and what is known of its owner: all of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Situation {
    /// The slot.
    pub key: SlotKey,
    /// The leases of the client that owns it; `None` if its owner is no client.
    pub holding: Option<Holding>,
    /// The live instance in the slot.
    pub instance: Option<Instance>,
}

/// A client with what it holds and the slots that it fills: all of one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Holding {
    /// The client.
    pub client: Client,
    /// The leases it holds, the oldest first.
    pub active_leases: Vec<Lease>,
    /// The slots of the client that have live instances.
    pub slots: BTreeSet<Slot>,
}

/// A client that holds a lease and is to have instances, if its link and its class provide any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanting {
    /// The client.
    pub client: ClientId,
    /// The class that it is in.
    pub class: Option<String>,
}

impl Store {
    /// The situation of a slot; `None` when it would be a client's that there is not.
    ///
    /// # Errors
    ///
    /// When the database is away or holds what cannot be read.
    pub async fn situation(&self, key: &SlotKey) -> Result<Option<Situation>, StoreError> {
        let mut tx = self.snapshot().await?;
        let holding = match key.owner {
            Owner::Client(client) => match holding(&mut tx, client).await? {
                None => return Ok(None),
                holding => holding,
            },
            Owner::Service(_) | Owner::Pool(_) | Owner::Operator(_) => None,
        };
        let fills = holding.as_ref().is_none_or(|holding| holding.slots.contains(&key.slot));
        let instance = match fills {
            true => instances::live_in_slot(&mut tx, key).await?,
            false => None,
        };
        Ok(Some(Situation {
            key: key.clone(),
            holding,
            instance,
        }))
    }

    /// The leases of a client; `None` when there is no such client.
    ///
    /// # Errors
    ///
    /// When the database is away or holds what cannot be read.
    pub async fn holding(&self, client: ClientId) -> Result<Option<Holding>, StoreError> {
        holding(&mut self.snapshot().await?, client).await
    }

    /// The slots of an owner that have live instances.
    ///
    /// # Errors
    ///
    /// When the database is away.
    pub async fn live_slots(&self, owner: &Owner) -> Result<BTreeSet<Slot>, StoreError> {
        live_slots(&mut self.snapshot().await?, owner).await
    }

    /// Every client of a link that holds a lease and is to have instances, if the link or its class provides any.
    ///
    /// # Errors
    ///
    /// When the database is away or holds what cannot be read.
    pub async fn wanting(&self, link: &str) -> Result<Vec<Wanting>, StoreError> {
        let rows = fetch_all!(
            &mut self.snapshot().await?,
            "find the clients that are to have an instance",
            (String, Option<String>),
            WANTING,
            link
        )?;
        let read = |(id, class): (String, Option<String>)| {
            let client = Columns("client").parse("id", &id)?;
            Ok(Wanting { client, class })
        };
        rows.into_iter().map(read).collect()
    }
}

async fn holding(tx: &mut Tx<'_>, client: ClientId) -> Result<Option<Holding>, StoreError> {
    let Some(client) = clients::find(tx, client).await? else {
        return Ok(None);
    };
    let active_leases = leases::active_leases(tx, client.id).await?;
    let slots = live_slots(tx, &Owner::Client(client.id)).await?;
    Ok(Some(Holding {
        client,
        active_leases,
        slots,
    }))
}

async fn live_slots(tx: &mut Tx<'_>, owner: &Owner) -> Result<BTreeSet<Slot>, StoreError> {
    let (kind, name) = (owner.kind().word(), owner.name());
    let rows = fetch_all!(tx, "find the slots of an owner", (String,), LIVE_SLOTS, kind, name)?;
    Ok(rows.into_iter().map(|(slot,)| Slot::new(slot)).collect())
}
