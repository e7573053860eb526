//! Instances as rows, with the rows of their containers and attachments.

use std::collections::HashSet;
use std::net::Ipv6Addr;

use sqlx::FromRow;

use super::connection::{Tx, fetch_all, fetch_optional, statements};
use super::names::{Fit, Name, instance_goes_by};
use super::page::{Moment, limits};
use super::text::Columns;
use super::times::TimesRow;
use super::{Store, StoreError, clients};
use orchestrator_model::{
    Attachment, ClientId, Container, HostId, Instance, InstanceId, InstanceView, Owner, OwnerKind, Page, Phase, Slot,
    SlotKey, Timestamp,
};

// The containers and attachments come with the instance's row: one row for each pair of a container and an attachment,
// which is one row for most instances.
macro_rules! select {
    ($from:expr, $order:expr) => {
        concat!(
            "select i.id, i.owner_kind, i.owner, i.slot, i.host, i.template, i.version, i.spec, i.phase, i.reason,
                i.attempts, i.due, i.created, i.ready, i.changed,
                i.until, i.idle, i.active, i.packets, i.pinned, i.kept_until, i.warned, i.expired, i.extended, i.off, i.reset,
                c.duid, c.hostname, c.link_layer,
                k.name, k.engine, k.image, k.reference,
                a.id as attachment, a.container, a.network, a.bridge, a.interface, a.address, a.prefix_length, a.gateway,
                a.isolated, a.mac, a.routed
            from ",
            $from,
            " left join clients c on c.id = i.owner and i.owner_kind = 'client'
                left join containers k on k.instance = i.id left join attachments a on a.instance = i.id
            order by ",
            $order,
            "k.place, a.place"
        )
    };
}

statements! {
    FIND = select!("(select * from instances where id = $1) i", "");
    LIVE_IN_SLOT = select!(
        "(select * from instances where owner_kind = $1 and owner = $2 and slot = $3 and phase <> 'removed') i", "");
    LIVE = select!("(select * from instances where phase <> 'removed') i", "i.created, i.id, ");
    LIVE_OF = select!(
        "(select * from instances where owner_kind = $1 and owner = $2 and phase <> 'removed') i", "i.created, i.id, ");
    LIVE_OF_CLIENTS_IN = select!(
        "(select * from instances where owner_kind = 'client' and slot = $1 and phase <> 'removed') i",
        "i.created, i.id, ");
    IDLE_LIMITED = select!(
        "(select * from instances where idle is not null and phase = 'ready') i", "i.created, i.id, ");
    LIST = select!(
        concat!(
            "(select i.* from instances i left join clients c on c.id = i.owner and i.owner_kind = 'client'
                where (i.phase <> 'removed' or $4 = 1) and (i.owner = $6 and i.owner_kind = 'client' or $6 is null)
                    and (exists (select 1 from attachments n where n.instance = i.id and n.network = $5)
                        or $5 is null)
                    and (i.phase = $7 or $7 is null) and (i.created, i.id) > ($8, $9) and (",
            instance_goes_by!(),
            " or $1 is null) order by i.created, i.id limit $10) i"
        ),
        "i.created, i.id, "
    );
    AT = select!(
        "(select i.* from attachments n join instances i on i.id = n.instance
            where n.network = $1 and n.address = $2 and n.live = 1) i", "");
    BY_PREFIX = "select id from instances where id >= $1 and id < $2 order by id limit 10";
    TAKEN = "select address from attachments where network = $1 and live = 1 and address is not null";
    LAST_ADDRESS = "select a.address from instances i join attachments a on a.instance = i.id
        where i.owner_kind = $1 and i.owner = $2 and i.slot = $3 and a.network = $4 and a.address is not null
        order by i.created desc limit 1";
}

const COLUMNS: Columns = Columns("instance");
const ATTACHMENTS: Columns = Columns("attachment");

#[derive(FromRow)]
pub(super) struct InstanceRow {
    id: String,
    owner_kind: String,
    owner: String,
    slot: String,
    host: Option<String>,
    template: String,
    version: i64,
    spec: String,
    phase: String,
    reason: Option<String>,
    attempts: i64,
    due: Option<i64>,
    created: i64,
    ready: Option<i64>,
    changed: i64,
    #[sqlx(flatten)]
    times: TimesRow,
    duid: Option<String>,
    hostname: Option<String>,
    link_layer: Option<String>,
    name: Option<String>,
    engine: Option<String>,
    image: Option<String>,
    reference: Option<String>,
    attachment: Option<String>,
    container: Option<String>,
    network: Option<String>,
    bridge: Option<String>,
    interface: Option<String>,
    address: Option<String>,
    prefix_length: Option<i64>,
    gateway: Option<String>,
    isolated: Option<i64>,
    mac: Option<String>,
    routed: Option<String>,
}

impl InstanceRow {
    /// The instance of the row, without its containers and attachments.
    fn view(&self) -> Result<InstanceView, StoreError> {
        let kind: OwnerKind = COLUMNS.parse("owner_kind", &self.owner_kind)?;
        let instance = Instance {
            id: COLUMNS.parse("id", &self.id)?,
            owner: Owner::new(kind, &self.owner).map_err(|_| COLUMNS.bad("owner", &self.owner))?,
            slot: Slot::new(self.slot.as_str()),
            host: self.host.as_deref().map(HostId::new),
            template: self.template.clone(),
            version: COLUMNS.count("version", self.version)?,
            spec: serde_json::from_str(&self.spec).map_err(|_| COLUMNS.bad("spec", &self.spec))?,
            phase: COLUMNS.parse("phase", &self.phase)?,
            reason: self.reason.clone(),
            attempts: COLUMNS.number("attempts", self.attempts)?,
            due: self.due.map(Timestamp),
            created: Timestamp(self.created),
            ready: self.ready.map(Timestamp),
            changed: Timestamp(self.changed),
            times: self.times.read()?,
            containers: Vec::new(),
            attachments: Vec::new(),
        };
        Ok(InstanceView {
            instance,
            duid: COLUMNS.parse_some("duid", self.duid.as_deref())?,
            hostname: self.hostname.clone(),
            link_layer: COLUMNS.parse_some("link_layer", self.link_layer.as_deref())?,
        })
    }

    /// The container of the row.
    fn container(&self, instance: InstanceId) -> Option<Container> {
        Some(Container {
            instance,
            name: self.name.clone()?,
            engine: self.engine.clone().unwrap_or_default(),
            image: self.image.clone().unwrap_or_default(),
            reference: self.reference.clone(),
        })
    }

    /// The attachment of the row.
    fn attachment(&self, instance: InstanceId) -> Result<Option<Attachment>, StoreError> {
        let Some(id) = &self.attachment else { return Ok(None) };
        let text = |column: &Option<String>| column.clone().unwrap_or_default();
        let prefix_length = self.prefix_length.unwrap_or_default();
        let routed = text(&self.routed);
        Ok(Some(Attachment {
            id: ATTACHMENTS.parse("id", id)?,
            instance,
            container: text(&self.container),
            network: text(&self.network),
            bridge: text(&self.bridge),
            interface: text(&self.interface),
            address: ATTACHMENTS.parse_some("address", self.address.as_deref())?,
            prefix_length: u8::try_from(prefix_length)
                .ok()
                .filter(|length| *length <= 128)
                .ok_or_else(|| ATTACHMENTS.bad("prefix_length", prefix_length))?,
            gateway: ATTACHMENTS.parse_some("gateway", self.gateway.as_deref())?,
            isolated: self.isolated != Some(0),
            mac: ATTACHMENTS.parse("mac", &text(&self.mac))?,
            routed: serde_json::from_str(&routed).map_err(|_| ATTACHMENTS.bad("routed", &routed))?,
        }))
    }
}

/// Assembles instances from their rows. The rows of an instance are adjacent.
fn assemble(rows: &[InstanceRow]) -> Result<Vec<InstanceView>, StoreError> {
    let mut views: Vec<InstanceView> = Vec::new();
    for row in rows {
        let known = views.last().is_some_and(|view| view.instance.id.to_string() == row.id);
        if !known {
            views.push(row.view()?);
        }
        let Some(InstanceView { instance, .. }) = views.last_mut() else {
            continue;
        };
        if let Some(container) = row.container(instance.id)
            && instance.containers.iter().all(|known| known.name != container.name)
        {
            instance.containers.push(container);
        }
        if let Some(attachment) = row.attachment(instance.id)?
            && instance.attachments.iter().all(|known| known.id != attachment.id)
        {
            instance.attachments.push(attachment);
        }
    }
    Ok(views)
}

/// The instances to list.
#[derive(Debug, Clone, Default)]
pub struct InstanceFilter {
    /// Whether to list removed instances, too.
    pub all: bool,
    /// Only instances of this bridge.
    pub link: Option<String>,
    /// Only instances of this client.
    pub client: Option<ClientId>,
    /// Only instances with this name.
    pub name: Option<Name>,
    /// Only instances in this phase. [`Phase::Removed`] finds something only with `all`.
    pub phase: Option<Phase>,
    /// The cursor to continue at: `next` of the page before.
    pub after: Option<String>,
    /// The largest number of rows; [`MAX_LIMIT`](super::MAX_LIMIT) by default.
    pub limit: Option<u32>,
}

/// The instances whose ids begin with a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// One instance.
    One(InstanceId),
    /// No instance, or the text is not the beginning of an id.
    None,
    /// Several instances, of which these are the first ten.
    Several(Vec<InstanceId>),
}

impl Store {
    /// The instance with this id.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn instance(&self, id: InstanceId) -> Result<Option<InstanceView>, StoreError> {
        find(&mut self.glance().await?, id).await
    }

    /// The live instance that has an address on a network.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn instance_at(&self, network: &str, address: Ipv6Addr) -> Result<Option<InstanceView>, StoreError> {
        let rows = fetch_all!(
            &mut self.snapshot().await?,
            "look up the instance at an address",
            InstanceRow,
            AT,
            network,
            address.to_string()
        )?;
        Ok(assemble(&rows)?.pop())
    }

    /// Instances in the order in which they were recorded.
    ///
    /// # Errors
    ///
    /// When the cursor is invalid, the database is unreachable, or a row cannot be read.
    pub async fn instances(&self, filter: InstanceFilter) -> Result<Page<InstanceView>, StoreError> {
        let after = Moment::parse(filter.after.as_deref())?;
        let (limit, rows) = limits(filter.limit);
        let mut tx = self.snapshot().await?;
        let Some(fit) = fit(&mut tx, &filter).await? else {
            return Ok(Page::new(Vec::new(), limit, |_: &InstanceView| String::new()));
        };
        let views = list(&mut tx, &filter, fit, &after, rows).await?;
        Ok(Page::new(views, limit, |view: &InstanceView| {
            Moment::cursor(view.instance.created.0, view.instance.id)
        }))
    }

    /// Every instance that is not removed.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn live_instances(&self) -> Result<Vec<Instance>, StoreError> {
        let rows = fetch_all!(&mut self.glance().await?, "read the live instances", InstanceRow, LIVE)?;
        Ok(assemble(&rows)?.into_iter().map(|view| view.instance).collect())
    }

    /// The instances of an owner that are not removed.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn live_instances_of(&self, owner: &Owner) -> Result<Vec<Instance>, StoreError> {
        live_of(&mut self.glance().await?, owner).await
    }

    /// Every instance that is ready and has an idle limit.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn idle_limited_instances(&self) -> Result<Vec<Instance>, StoreError> {
        let mut tx = self.snapshot().await?;
        let rows = fetch_all!(
            &mut tx,
            "read the instances with an idle limit",
            InstanceRow,
            IDLE_LIMITED
        )?;
        Ok(assemble(&rows)?.into_iter().map(|view| view.instance).collect())
    }

    /// The instance whose id begins with `prefix`, removed ones included.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn resolve_instance(&self, prefix: &str) -> Result<Resolved, StoreError> {
        let hex = prefix.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if prefix.is_empty() || prefix.len() > 12 || !hex {
            return Ok(Resolved::None);
        }
        // Ids with this prefix sort before the prefix followed by a letter that is greater than every digit.
        let end = format!("{prefix}g");
        let mut tx = self.snapshot().await?;
        let rows = fetch_all!(&mut tx, "look up an instance", (String,), BY_PREFIX, prefix, end)?;
        let mut ids = rows
            .iter()
            .map(|(id,)| COLUMNS.parse("id", id))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(match (ids.pop(), ids.is_empty()) {
            (None, _) => Resolved::None,
            (Some(id), true) => Resolved::One(id),
            (Some(id), false) => {
                ids.push(id);
                Resolved::Several(ids)
            }
        })
    }

    /// The addresses of live instances on a network.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn taken_addresses(&self, link: &str) -> Result<HashSet<Ipv6Addr>, StoreError> {
        let mut tx = self.glance().await?;
        let rows = fetch_all!(&mut tx, "read the addresses of instances", (String,), TAKEN, link)?;
        rows.iter()
            .map(|(address,)| COLUMNS.parse("address", address))
            .collect()
    }

    /// The address on a network of the present or last instance in a slot.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn last_address(&self, key: &SlotKey, network: &str) -> Result<Option<Ipv6Addr>, StoreError> {
        let mut tx = self.glance().await?;
        let row = fetch_optional!(
            &mut tx,
            "look up an address",
            (String,),
            LAST_ADDRESS,
            key.owner.kind().word(),
            key.owner.name(),
            key.slot.as_str(),
            network
        )?;
        row.map(|(address,)| ATTACHMENTS.parse("address", &address)).transpose()
    }
}

/// The first way in which the filter's name matches any instance or client. If the name is all of a client's name and
/// that client has no instance, instances of clients whose names only begin with it do not match.
async fn fit(tx: &mut Tx<'_>, filter: &InstanceFilter) -> Result<Option<Fit>, StoreError> {
    let Some(name) = &filter.name else {
        return Ok(Some(Fit::Id));
    };
    for fit in name.fits() {
        let fits_one = !list(tx, filter, fit, &Moment::parse(None)?, 1).await?.is_empty();
        if fits_one || clients::fits_any(tx, filter.link.as_deref(), name, fit).await? {
            return Ok(Some(fit));
        }
    }
    Ok(None)
}

async fn list(
    tx: &mut Tx<'_>,
    filter: &InstanceFilter,
    fit: Fit,
    after: &Moment,
    rows: i64,
) -> Result<Vec<InstanceView>, StoreError> {
    let name = filter.name.as_ref();
    let rows = fetch_all!(
        tx,
        "list instances",
        InstanceRow,
        LIST,
        name.map(Name::text),
        name.map(Name::leased),
        fit as i64,
        i64::from(filter.all),
        filter.link.as_deref(),
        filter.client.map(|client| client.to_string()),
        filter.phase.map(Phase::word),
        after.at,
        after.id.as_str(),
        rows,
    )?;
    assemble(&rows)
}

/// Reads one instance in a transaction.
pub(super) async fn find(tx: &mut Tx<'_>, id: InstanceId) -> Result<Option<InstanceView>, StoreError> {
    let rows = fetch_all!(tx, "look up an instance", InstanceRow, FIND, id.to_string())?;
    Ok(assemble(&rows)?.pop())
}

/// Reads the live instance of a slot in a transaction.
pub(super) async fn live_in_slot(tx: &mut Tx<'_>, key: &SlotKey) -> Result<Option<Instance>, StoreError> {
    let rows = fetch_all!(
        tx,
        "look up the instance of a slot",
        InstanceRow,
        LIVE_IN_SLOT,
        key.owner.kind().word(),
        key.owner.name(),
        key.slot.as_str()
    )?;
    Ok(assemble(&rows)?.pop().map(|view| view.instance))
}

/// Reads the live instances of an owner in a transaction.
pub(super) async fn live_of(tx: &mut Tx<'_>, owner: &Owner) -> Result<Vec<Instance>, StoreError> {
    let (kind, name) = (owner.kind().word(), owner.name());
    let rows = fetch_all!(tx, "read the instances of an owner", InstanceRow, LIVE_OF, kind, name)?;
    Ok(assemble(&rows)?.into_iter().map(|view| view.instance).collect())
}

/// Reads the live instances that clients have in the slot of this name, in a transaction.
pub(super) async fn live_of_clients_in(tx: &mut Tx<'_>, slot: &Slot) -> Result<Vec<Instance>, StoreError> {
    let rows = fetch_all!(
        tx,
        "read the instances in a slot of clients",
        InstanceRow,
        LIVE_OF_CLIENTS_IN,
        slot.as_str()
    )?;
    Ok(assemble(&rows)?.into_iter().map(|view| view.instance).collect())
}
