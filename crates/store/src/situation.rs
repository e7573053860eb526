//! The situation of a slot, as the reconcilers read it.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::FromRow;

use super::clients::ClientRow;
use super::connection::{Tx, fetch_all, statements};
use super::leases::LeaseRow;
use super::text::Columns;
use super::{Store, StoreError, clients, instances};
use orchestrator_model::{
    Client, ClientId, GrantedTo, Holder, Instance, Lease, LeaseView, LinkLayerAddress, Owner, OwnerKind, Share, Slot,
    SlotKey, Timestamp,
};

statements! {
    WANTING = "select c.id, c.class, c.link_layer, l.port, l.link_layer, l.granted
        from clients c join leases l on l.client = c.id
        where c.link = $1 and c.wants_instance = 1 and l.state = 'active'
        order by c.id, l.changed, l.address";
    LEASED = "select c.id, c.link, c.duid, c.link_layer, c.hostname, c.class, c.wants_instance, c.first_seen, c.last_seen,
            (select max(o.changed) from leases o where o.client = c.id) as last_event,
            l.client, l.address, l.iaid, l.source, l.state, l.preferred_until, l.valid_until, l.granted, l.changed,
            l.next_hop, l.link_layer as granted_link_layer, l.link_local, l.port, l.relay,
            s.slot, s.ended
        from clients c join leases l on l.client = c.id and l.state = 'active'
        left join (select slot, cast(null as bigint) as ended from instances
                where owner_kind = 'client' and owner = $1 and phase <> 'removed'
            union all select slot, at from spent_slots where owner_kind = 'client' and owner = $1) s on 1 = 1
        where c.id = $1
        order by l.granted, l.address";
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

/// An active lease of a client, joined with one slot of the client. `slot` is `None` if the client has no slot; `ended`
/// is the second field of [`SlotRow`].
#[derive(FromRow)]
struct LeasedRow {
    #[sqlx(flatten)]
    client: ClientRow,
    #[sqlx(flatten)]
    lease: LeaseRow,
    slot: Option<String>,
    ended: Option<i64>,
}

/// A slot, and when its last instance was ended by time; `None` if the slot has a live instance.
type SlotRow = (String, Option<i64>);

impl Holding {
    /// A holding of this client, with no leases and no slots yet.
    fn of(client: Client) -> Self {
        Self {
            client,
            active_leases: Vec::new(),
            slots: BTreeSet::new(),
            spent: BTreeMap::new(),
        }
    }

    fn add(&mut self, (slot, ended): SlotRow) {
        let slot = Slot::new(slot);
        match ended {
            None => drop(self.slots.insert(slot)),
            Some(at) => drop(self.spent.insert(slot, Timestamp(at))),
        }
    }

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

    /// The leases and slots of a client; `None` if there is no such client.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn holding(&self, client: ClientId) -> Result<Option<Holding>, StoreError> {
        let found = leased(&mut self.glance().await?, client).await?;
        if found.is_some() {
            return Ok(found);
        }
        // The client has no active lease, or does not exist. It may get a lease before the next statement, so one
        // transaction reads everything.
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
    if let Some(holding) = leased(tx, client).await? {
        return Ok(Some(holding));
    }
    let Some(client) = clients::find(tx, client).await? else {
        return Ok(None);
    };
    let (kind, name) = (OwnerKind::Client.word(), client.id.to_string());
    let slots = fetch_all!(tx, "find the slots of an owner", SlotRow, SLOTS_OF_OWNER, kind, name)?;
    let mut holding = Holding::of(client);
    slots.into_iter().for_each(|slot| holding.add(slot));
    Ok(Some(holding))
}

/// Reads what a client holds in one statement; `None` if it has no active lease. Every new instance waits for this read.
async fn leased(tx: &mut Tx<'_>, client: ClientId) -> Result<Option<Holding>, StoreError> {
    let rows = fetch_all!(tx, "read what a client holds", LeasedRow, LEASED, client.to_string())?;
    let mut holding: Option<Holding> = None;
    // A lease has one row for each slot of the client.
    for LeasedRow {
        client,
        lease,
        slot,
        ended,
    } in rows
    {
        let holding = match &mut holding {
            Some(holding) => holding,
            none => none.insert(Holding::of(client.try_into()?)),
        };
        let lease = LeaseView::try_from(lease)?.lease;
        if holding
            .active_leases
            .last()
            .is_none_or(|last| last.leased != lease.leased)
        {
            holding.active_leases.push(lease);
        }
        if let Some(slot) = slot {
            holding.add((slot, ended));
        }
    }
    Ok(holding)
}

async fn live_slots(tx: &mut Tx<'_>, owner: &Owner) -> Result<BTreeSet<Slot>, StoreError> {
    let (kind, name) = (owner.kind().word(), owner.name());
    let rows = fetch_all!(tx, "find the slots of an owner", (String,), LIVE_SLOTS, kind, name)?;
    Ok(rows.into_iter().map(|(slot,)| Slot::new(slot)).collect())
}
