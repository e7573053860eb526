//! The situation of a slot, as the reconcilers read it.

use std::collections::{BTreeMap, BTreeSet};

use super::connection::{Tx, fetch_all, statements};
use super::text::Columns;
use super::{Store, StoreError, clients, instances, leases};
use orchestrator_model::{
    Client, ClientId, GrantedTo, Holder, Instance, Lease, LinkLayerAddress, Owner, Share, Slot, SlotKey, Timestamp,
};

statements! {
    WANTING = "select c.id, c.class, c.link_layer, l.port, l.link_layer, l.granted
        from clients c join leases l on l.client = c.id
        where c.link = $1 and c.wants_instance = 1 and l.state = 'active'
        order by c.id, l.changed, l.address";
    SLOTS_OF_OWNER = "select slot, cast(null as bigint) from instances
        where owner_kind = $1 and owner = $2 and phase <> 'removed'
        union all select slot, at from spent_slots where owner_kind = $1 and owner = $2";
    LIVE_SLOTS = "select slot from instances where owner_kind = $1 and owner = $2 and phase <> 'removed'";
}

/// A slot with its instance and its owner, all at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Situation {
    /// The slot.
    pub key: SlotKey,
    /// The leases of the client that owns it; `None` if its owner is not a client.
    pub holding: Option<Holding>,
    /// The live instance in the slot.
    pub instance: Option<Instance>,
}

/// A client with its leases and its slots, all at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Holding {
    /// The client.
    pub client: Client,
    /// Its active leases, the oldest first.
    pub active_leases: Vec<Lease>,
    /// The slots of the client that have live instances.
    pub slots: BTreeSet<Slot>,
    /// The slots of the client whose last instance was ended by time, each with when that was.
    pub spent: BTreeMap<Slot, Timestamp>,
}

/// A client that holds a lease and is to have instances, if its link or its class has templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanting {
    /// The client.
    pub client: ClientId,
    /// The client's class.
    pub class: Option<String>,
    /// Whom its instances count for: where its last lease event came from.
    pub share: Share,
    /// When the oldest of its leases was granted.
    pub since: Timestamp,
}

impl Situation {
    /// The same slot once this instance is recorded in it.
    pub fn filled(mut self, instance: Instance) -> Self {
        if let Some(holding) = &mut self.holding {
            holding.slots.insert(self.key.slot.clone());
        }
        self.instance = Some(instance);
        self
    }
}

impl Holding {
    /// What a reservation may know the client by: its DUID, and every link-layer address that it has sent from.
    pub fn holders(&self) -> Vec<Holder> {
        let last = self.client.link_layer.as_ref();
        let granted = self
            .active_leases
            .iter()
            .filter_map(|lease| lease.granted_to.link_layer.as_ref());
        let addresses: BTreeSet<&LinkLayerAddress> = last.into_iter().chain(granted).collect();
        let by_address = addresses.into_iter().cloned().map(Holder::LinkLayer);
        by_address.chain([Holder::Duid(self.client.duid.clone())]).collect()
    }

    /// Whom the instances of the client count for: where its last lease event came from.
    pub fn share(&self) -> Share {
        let last = self.active_leases.iter().max_by_key(|lease| lease.changed);
        let place = last.map(|lease| lease.granted_to.clone()).unwrap_or_default();
        Share::of(&self.client.link, &place, self.client.link_layer.as_ref())
    }

    /// When the oldest of its leases was granted.
    pub fn since(&self) -> Option<Timestamp> {
        self.active_leases.iter().map(|lease| lease.granted).min()
    }
}

/// A lease of a client that is to have instances: the client, its class and link-layer address; port and link-layer
/// address of the lease, and when it was granted.
type WantingRow = (
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    i64,
);

fn wanting((id, class, claimed, port, seen, granted): WantingRow, link: &str) -> Result<Wanting, StoreError> {
    let place = GrantedTo {
        port,
        link_layer: Columns("lease").parse_some("link_layer", seen.as_deref())?,
        ..GrantedTo::default()
    };
    let claimed = Columns("client").parse_some("link_layer", claimed.as_deref())?;
    Ok(Wanting {
        client: Columns("client").parse("id", &id)?,
        class,
        share: Share::of(link, &place, claimed.as_ref()),
        since: Timestamp(granted),
    })
}

impl Store {
    /// The situation of a slot; `None` if its owner is a client that does not exist.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
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

    /// The leases of a client; `None` if there is no such client.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn holding(&self, client: ClientId) -> Result<Option<Holding>, StoreError> {
        holding(&mut self.snapshot().await?, client).await
    }

    /// The slots of an owner that have live instances.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn live_slots(&self, owner: &Owner) -> Result<BTreeSet<Slot>, StoreError> {
        live_slots(&mut self.glance().await?, owner).await
    }

    /// All clients of a link that hold a lease and are to have instances, if the link or their class has templates.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn wanting(&self, link: &str) -> Result<Vec<Wanting>, StoreError> {
        let rows = fetch_all!(
            &mut self.glance().await?,
            "find the clients that are to have an instance",
            WantingRow,
            WANTING,
            link
        )?;
        let mut all: Vec<Wanting> = Vec::new();
        for row in rows {
            let lease = wanting(row, link)?;
            match all.last_mut().filter(|known| known.client == lease.client) {
                // The row of a later event.
                Some(known) => {
                    known.since = known.since.min(lease.since);
                    known.share = lease.share;
                }
                None => all.push(lease),
            }
        }
        Ok(all)
    }
}

async fn holding(tx: &mut Tx<'_>, client: ClientId) -> Result<Option<Holding>, StoreError> {
    let Some(client) = clients::find(tx, client).await? else {
        return Ok(None);
    };
    let active_leases = leases::active_leases(tx, client.id).await?;
    let owner = Owner::Client(client.id);
    let (slots, spent) = slots_of(tx, &owner).await?;
    Ok(Some(Holding {
        client,
        active_leases,
        slots,
        spent,
    }))
}

/// The slots of an owner that have live instances, and those whose last instance was ended by time, with when that was.
async fn slots_of(tx: &mut Tx<'_>, owner: &Owner) -> Result<(BTreeSet<Slot>, BTreeMap<Slot, Timestamp>), StoreError> {
    let (kind, name) = (owner.kind().word(), owner.name());
    let rows = fetch_all!(
        tx,
        "find the slots of an owner",
        (String, Option<i64>),
        SLOTS_OF_OWNER,
        kind,
        name
    )?;
    let (mut live, mut spent) = (BTreeSet::new(), BTreeMap::new());
    for (slot, ended) in rows {
        let slot = Slot::new(slot);
        match ended {
            None => drop(live.insert(slot)),
            Some(at) => drop(spent.insert(slot, Timestamp(at))),
        }
    }
    Ok((live, spent))
}

async fn live_slots(tx: &mut Tx<'_>, owner: &Owner) -> Result<BTreeSet<Slot>, StoreError> {
    let (kind, name) = (owner.kind().word(), owner.name());
    let rows = fetch_all!(tx, "find the slots of an owner", (String,), LIVE_SLOTS, kind, name)?;
    Ok(rows.into_iter().map(|(slot,)| Slot::new(slot)).collect())
}
