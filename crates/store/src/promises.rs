//! What hosts have promised to instances, and when they did.

use sqlx::FromRow;

use super::connection::{fetch_all, statements};
use super::text::Columns;
use super::{Store, StoreError};
use orchestrator_model::{HostId, InstanceId, InstanceSpec, Owner, OwnerKind, Share, Slot, SlotKey, Timestamp};

macro_rules! select {
    ($which:expr) => {
        concat!(
            "select i.id, i.owner_kind, i.owner, i.slot, i.host, i.template, i.spec, i.phase, i.created, i.port,
                i.link_layer, k.engine, a.network
            from instances i left join containers k on k.instance = i.id and k.place = 0
                left join attachments a on a.instance = i.id and a.place = 0
            where ",
            $which,
            " order by i.created, i.id"
        )
    };
}

statements! {
    LIVE = select!("i.phase <> 'removed'");
    RECENT = select!("i.created > $1 and i.phase = 'removed'");
}

const COLUMNS: Columns = Columns("instance");

#[derive(FromRow)]
struct PromiseRow {
    id: String,
    owner_kind: String,
    owner: String,
    slot: String,
    host: Option<String>,
    template: String,
    spec: String,
    phase: String,
    created: i64,
    port: Option<String>,
    link_layer: Option<String>,
    engine: Option<String>,
    network: Option<String>,
}

/// What a host has promised to an instance, and for whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Promise {
    /// The instance.
    pub id: InstanceId,
    /// The slot that it fills.
    pub key: SlotKey,
    /// The host that runs it.
    pub host: Option<HostId>,
    /// The engine that runs it.
    pub engine: String,
    /// The name of its template.
    pub template: String,
    /// Its specification, which has its limits.
    pub spec: InstanceSpec,
    /// Whom it counts for.
    pub share: Share,
    /// Whether it is not removed.
    pub is_live: bool,
    /// When it was recorded.
    pub created: Timestamp,
}

impl Store {
    /// Every live instance, and those that were recorded after `since` and are removed. Each list is in the order in which
    /// they were recorded.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn promises(&self, since: Timestamp) -> Result<Vec<Promise>, StoreError> {
        let mut tx = self.snapshot().await?;
        let mut rows = fetch_all!(&mut tx, "read what is promised", PromiseRow, LIVE)?;
        rows.extend(fetch_all!(
            &mut tx,
            "read what was promised",
            PromiseRow,
            RECENT,
            since.0
        )?);
        rows.into_iter().map(promise).collect()
    }
}

fn promise(row: PromiseRow) -> Result<Promise, StoreError> {
    let kind: OwnerKind = COLUMNS.parse("owner_kind", &row.owner_kind)?;
    let owner = Owner::new(kind, &row.owner).map_err(|_| COLUMNS.bad("owner", &row.owner))?;
    Ok(Promise {
        id: COLUMNS.parse("id", &row.id)?,
        key: SlotKey::new(owner, Slot::new(row.slot)),
        host: row.host.as_deref().map(HostId::new),
        engine: row.engine.unwrap_or_default(),
        template: row.template,
        spec: serde_json::from_str(&row.spec).map_err(|_| COLUMNS.bad("spec", &row.spec))?,
        share: Share {
            link: row.network.unwrap_or_default(),
            port: row.port,
            link_layer: COLUMNS.parse_some("link_layer", row.link_layer.as_deref())?,
        },
        is_live: row.phase != "removed",
        created: Timestamp(row.created),
    })
}
