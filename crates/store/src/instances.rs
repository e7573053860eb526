//! Instances as rows.

use std::collections::HashSet;
use std::net::Ipv6Addr;

use sqlx::FromRow;

use super::connection::{Tx, fetch_all, fetch_optional, statements};
use super::names::{Fit, Name, instance_goes_by};
use super::page::{Moment, limits};
use super::text::Columns;
use super::{Store, StoreError, clients};
use orchestrator_model::{ClientId, Instance, InstanceId, InstanceView, Page, Phase, Timestamp};

statements! {
    FIND = "select i.id, i.client, i.link, i.template, i.plugin, i.spec, i.address, i.phase, i.reason, i.attempts,
            i.due, i.reference, i.created, i.ready, i.changed, c.duid, c.hostname, c.link_layer
        from instances i join clients c on c.id = i.client where i.id = $1";
    LIVE_OF_CLIENT = "select i.id, i.client, i.link, i.template, i.plugin, i.spec, i.address, i.phase, i.reason,
            i.attempts, i.due, i.reference, i.created, i.ready, i.changed, c.duid, c.hostname, c.link_layer
        from instances i join clients c on c.id = i.client where i.client = $1 and i.phase <> 'removed'";
    LIVE = "select i.id, i.client, i.link, i.template, i.plugin, i.spec, i.address, i.phase, i.reason, i.attempts,
            i.due, i.reference, i.created, i.ready, i.changed, c.duid, c.hostname, c.link_layer
        from instances i join clients c on c.id = i.client where i.phase <> 'removed' order by i.created, i.id";
    LIST = concat!(
        "select i.id, i.client, i.link, i.template, i.plugin, i.spec, i.address, i.phase, i.reason, i.attempts,
            i.due, i.reference, i.created, i.ready, i.changed, c.duid, c.hostname, c.link_layer
        from instances i join clients c on c.id = i.client
        where (i.phase <> 'removed' or $4 = 1) and (i.link = $5 or $5 is null) and (i.client = $6 or $6 is null)
            and (i.phase = $7 or $7 is null) and (i.created, i.id) > ($8, $9) and (",
        instance_goes_by!(),
        " or $1 is null) order by i.created, i.id limit $10"
    );
    BY_PREFIX = "select id from instances where id >= $1 and id < $2 order by id limit 10";
    TAKEN = "select address from instances where link = $1 and phase <> 'removed'";
    LAST_ADDRESS = "select address from instances where client = $1 and link = $2 order by created desc limit 1";
}

const COLUMNS: Columns = Columns("instance");

#[derive(FromRow)]
pub(super) struct InstanceRow {
    id: String,
    client: String,
    link: String,
    template: String,
    plugin: String,
    spec: String,
    address: String,
    phase: String,
    reason: Option<String>,
    attempts: i64,
    due: Option<i64>,
    reference: Option<String>,
    created: i64,
    ready: Option<i64>,
    changed: i64,
    duid: String,
    hostname: Option<String>,
    link_layer: Option<String>,
}

impl TryFrom<InstanceRow> for InstanceView {
    type Error = StoreError;

    fn try_from(row: InstanceRow) -> Result<Self, StoreError> {
        let instance = Instance {
            id: COLUMNS.parse("id", &row.id)?,
            client: COLUMNS.parse("client", &row.client)?,
            link: row.link,
            template: row.template,
            plugin: row.plugin,
            spec: serde_json::from_str(&row.spec).map_err(|_| COLUMNS.bad("spec", &row.spec))?,
            address: COLUMNS.parse("address", &row.address)?,
            phase: COLUMNS.parse("phase", &row.phase)?,
            reason: row.reason,
            attempts: COLUMNS.number("attempts", row.attempts)?,
            due: row.due.map(Timestamp),
            reference: row.reference,
            created: Timestamp(row.created),
            ready: row.ready.map(Timestamp),
            changed: Timestamp(row.changed),
        };
        Ok(Self {
            instance,
            duid: COLUMNS.parse("duid", &row.duid)?,
            hostname: row.hostname,
            link_layer: COLUMNS.parse_some("link_layer", row.link_layer.as_deref())?,
        })
    }
}

/// Which instances to list.
#[derive(Debug, Clone, Default)]
pub struct InstanceFilter {
    /// Those that are removed, too.
    pub all: bool,
    /// Only those of this bridge.
    pub link: Option<String>,
    /// Only those of this client.
    pub client: Option<ClientId>,
    /// Only those that go by this name.
    pub name: Option<Name>,
    /// Only those in this phase; [`Phase::Removed`] finds something only with `all`.
    pub phase: Option<Phase>,
    /// Begins after an earlier portion: its `next`.
    pub after: Option<String>,
    /// Rows at most; [`MAX_LIMIT`](super::MAX_LIMIT) unless told.
    pub limit: Option<u32>,
}

/// What the beginning of an instance's id stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// One instance.
    One(InstanceId),
    /// No instance, or no id at all.
    None,
    /// Several; the first ten of them.
    Several(Vec<InstanceId>),
}

impl Store {
    /// One instance.
    ///
    /// # Errors
    ///
    /// When the database is away or holds what cannot be read.
    pub async fn instance(&self, id: InstanceId) -> Result<Option<InstanceView>, StoreError> {
        find(&mut self.snapshot().await?, id).await
    }

    /// Instances in the order in which they were recorded.
    ///
    /// # Errors
    ///
    /// When the cursor is none, or the database is away or holds what cannot be read.
    pub async fn instances(&self, filter: InstanceFilter) -> Result<Page<InstanceView>, StoreError> {
        let after = Moment::parse(filter.after.as_deref())?;
        let (limit, rows) = limits(filter.limit);
        let mut tx = self.snapshot().await?;
        let Some(fit) = fit(&mut tx, &filter).await? else {
            return Ok(Page::new(Vec::new(), limit, |_: &InstanceView| String::new()));
        };
        let rows = list(&mut tx, &filter, fit, &after, rows).await?;
        let views = rows.into_iter().map(InstanceView::try_from).collect::<Result<_, _>>()?;
        Ok(Page::new(views, limit, |view: &InstanceView| {
            Moment::cursor(view.instance.created.0, view.instance.id)
        }))
    }

    /// Every instance that is not removed.
    ///
    /// # Errors
    ///
    /// When the database is away or holds what cannot be read.
    pub async fn live_instances(&self) -> Result<Vec<Instance>, StoreError> {
        let rows = fetch_all!(
            &mut self.snapshot().await?,
            "read the live instances",
            InstanceRow,
            LIVE
        )?;
        rows.into_iter()
            .map(|row| Ok(InstanceView::try_from(row)?.instance))
            .collect()
    }

    /// The instance whose id begins with `prefix`, removed ones included.
    ///
    /// # Errors
    ///
    /// When the database is away or holds what cannot be read.
    pub async fn resolve_instance(&self, prefix: &str) -> Result<Resolved, StoreError> {
        let hex = prefix.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if prefix.is_empty() || prefix.len() > 12 || !hex {
            return Ok(Resolved::None);
        }
        // What begins with the prefix stands before the prefix with a letter that no digit comes after.
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

    /// The addresses that live instances of a link have.
    ///
    /// # Errors
    ///
    /// When the database is away or holds what cannot be read.
    pub async fn taken_addresses(&self, link: &str) -> Result<HashSet<Ipv6Addr>, StoreError> {
        let mut tx = self.snapshot().await?;
        let rows = fetch_all!(&mut tx, "read the addresses of instances", (String,), TAKEN, link)?;
        rows.iter()
            .map(|(address,)| COLUMNS.parse("address", address))
            .collect()
    }

    /// The address that the latest instance of a client on a link has or had.
    ///
    /// # Errors
    ///
    /// When the database is away or holds what cannot be read.
    pub async fn last_address(&self, client: ClientId, link: &str) -> Result<Option<Ipv6Addr>, StoreError> {
        let mut tx = self.snapshot().await?;
        let row = fetch_optional!(
            &mut tx,
            "look up an address",
            (String,),
            LAST_ADDRESS,
            client.to_string(),
            link
        )?;
        row.map(|(address,)| COLUMNS.parse("address", &address)).transpose()
    }
}

/// In which way the name of the filter fits any instance, or any client: where a client goes by the whole of it and has
/// no instance, the instances of those whose names only begin so are not meant.
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
) -> Result<Vec<InstanceRow>, StoreError> {
    let name = filter.name.as_ref();
    fetch_all!(
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
    )
}

/// Reads one instance in a transaction.
pub(super) async fn find(tx: &mut Tx<'_>, id: InstanceId) -> Result<Option<InstanceView>, StoreError> {
    let row = fetch_optional!(tx, "look up an instance", InstanceRow, FIND, id.to_string())?;
    row.map(InstanceView::try_from).transpose()
}

/// Reads the live instance of a client in a transaction.
pub(super) async fn live_instance(tx: &mut Tx<'_>, client: ClientId) -> Result<Option<Instance>, StoreError> {
    let client = client.to_string();
    let row = fetch_optional!(
        tx,
        "look up the instance of a client",
        InstanceRow,
        LIVE_OF_CLIENT,
        client
    )?;
    row.map(|row| Ok(InstanceView::try_from(row)?.instance)).transpose()
}
