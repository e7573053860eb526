//! Leases as rows.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use sqlx::FromRow;

use super::connection::{fetch_all, fetch_optional, statements};
use super::page::limits;
use super::text::Columns;
use super::{Store, StoreError};
use orchestrator_model::{ClientId, GrantedTo, Iaid, Lease, LeaseState, LeaseView, Leased, Page, Timestamp};

statements! {
    LIST = "select l.link, l.address, l.client, c.duid, l.iaid, l.source, l.state, l.preferred_until, l.valid_until,
            l.granted, l.changed, l.next_hop, l.link_layer as granted_link_layer, l.link_local, l.port, l.relay,
            c.hostname, c.link_layer
        from leases l join clients c on c.id = l.client
        where (l.link = $1 or $1 is null) and (l.state = $2 or $2 is null) and (l.client = $3 or $3 is null)
            and (l.link, l.address) > ($4, $5)
        order by l.link, l.address limit $6";
    OF_LINK = "select l.link, l.address, l.client, c.duid, l.iaid, l.source, l.state, l.preferred_until, l.valid_until,
            l.granted, l.changed, l.next_hop, l.link_layer as granted_link_layer, l.link_local, l.port, l.relay,
            c.hostname, c.link_layer
        from leases l join clients c on c.id = l.client where l.link = $1";
    DECLINED = "select l.link, l.address, l.client, c.duid, l.iaid, l.source, l.state, l.preferred_until, l.valid_until,
            l.granted, l.changed, l.next_hop, l.link_layer as granted_link_layer, l.link_local, l.port, l.relay,
            c.hostname, c.link_layer
        from leases l join clients c on c.id = l.client where l.state = 'declined' and l.address = $1
        order by l.link limit 1";
    END = "select valid_until from leases where link = $1 and address = $2";
    HOLDER = "select client from leases where link = $1 and address = $2 and state = 'active'";
    NEXT_DUE = "select min(due) from leases where due is not null";
}

/// The lengths of delegated prefixes in which the holder of an address is looked for.
const SHORTEST: u8 = 48;
const LONGEST: u8 = 80;

const COLUMNS: Columns = Columns("lease");

#[derive(FromRow)]
pub(super) struct LeaseRow {
    link: String,
    address: String,
    client: String,
    duid: String,
    iaid: i64,
    source: String,
    state: String,
    preferred_until: i64,
    valid_until: i64,
    granted: i64,
    changed: i64,
    next_hop: Option<String>,
    granted_link_layer: Option<String>,
    link_local: Option<String>,
    port: Option<String>,
    relay: Option<String>,
    hostname: Option<String>,
    link_layer: Option<String>,
}

impl TryFrom<LeaseRow> for LeaseView {
    type Error = StoreError;

    fn try_from(row: LeaseRow) -> Result<Self, StoreError> {
        let lease = Lease {
            link: row.link,
            leased: COLUMNS.parse("address", &row.address)?,
            client: COLUMNS.parse("client", &row.client)?,
            duid: COLUMNS.parse("duid", &row.duid)?,
            iaid: Iaid(COLUMNS.number("iaid", row.iaid)?),
            source: COLUMNS.parse("source", &row.source)?,
            state: COLUMNS.parse("state", &row.state)?,
            next_hop: COLUMNS.parse_some("next_hop", row.next_hop.as_deref())?,
            granted_to: GrantedTo {
                link_layer: COLUMNS.parse_some("link_layer", row.granted_link_layer.as_deref())?,
                link_local: COLUMNS.parse_some("link_local", row.link_local.as_deref())?,
                port: row.port,
                relay: COLUMNS.parse_some("relay", row.relay.as_deref())?,
            },
            preferred_until: Timestamp(row.preferred_until),
            valid_until: Timestamp(row.valid_until),
            granted: Timestamp(row.granted),
            changed: Timestamp(row.changed),
        };
        let link_layer = COLUMNS.parse_some("link_layer", row.link_layer.as_deref())?;
        Ok(Self {
            lease,
            hostname: row.hostname,
            link_layer,
        })
    }
}

/// The leases to list.
#[derive(Debug, Clone, Default)]
pub struct LeaseFilter {
    /// Only leases of this bridge.
    pub link: Option<String>,
    /// Only leases in this state.
    pub state: Option<LeaseState>,
    /// Only leases of this client.
    pub client: Option<ClientId>,
    /// The cursor to continue at: `next` of the page before.
    pub after: Option<String>,
    /// The largest number of rows; [`MAX_LIMIT`](super::MAX_LIMIT) by default.
    pub limit: Option<u32>,
}

impl Store {
    /// When the present or last lease of an address or prefix of a link ends or ended by its lifetime.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn end_of(&self, link: &str, leased: Leased) -> Result<Option<Timestamp>, StoreError> {
        let mut tx = self.glance().await?;
        let row = fetch_optional!(&mut tx, "look up a lease", (i64,), END, link, leased.to_string())?;
        Ok(row.map(|(end,)| Timestamp(end)))
    }

    /// The client that holds an address of a link, or a delegated prefix that the address is in.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn holder_of(&self, link: &str, address: Ipv6Addr) -> Result<Option<ClientId>, StoreError> {
        let mut tx = self.snapshot().await?;
        let prefixes = (SHORTEST..=LONGEST)
            .rev()
            .filter_map(|length| Ipv6Net::new(address, length).ok());
        let leased = prefixes.map(|prefix| Leased::Prefix(prefix.trunc()));
        for leased in std::iter::once(Leased::Address(address)).chain(leased) {
            let row = fetch_optional!(
                &mut tx,
                "look up the holder of an address",
                (String,),
                HOLDER,
                link,
                leased.to_string()
            )?;
            if let Some((client,)) = row {
                return Ok(Some(COLUMNS.parse("client", &client)?));
            }
        }
        Ok(None)
    }

    /// The lease of a declined address, on any link.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn declined(&self, address: Ipv6Addr) -> Result<Option<Lease>, StoreError> {
        let mut tx = self.snapshot().await?;
        let address = address.to_string();
        let row = fetch_optional!(&mut tx, "look up a declined address", LeaseRow, DECLINED, address)?;
        Ok(row.map(LeaseView::try_from).transpose()?.map(|view| view.lease))
    }

    /// Leases, ordered by link and address.
    ///
    /// # Errors
    ///
    /// When the cursor is invalid, the database is unreachable, or a row cannot be read.
    pub async fn leases(&self, filter: LeaseFilter) -> Result<Page<LeaseView>, StoreError> {
        let after = filter.after.unwrap_or_else(|| "/".to_owned());
        // A prefix contains a slash itself, but the name of a bridge does not.
        let (after_link, after_address) = after
            .split_once('/')
            .ok_or_else(|| StoreError::BadCursor(after.clone()))?;
        let (limit, rows) = limits(filter.limit);
        let rows = fetch_all!(
            &mut self.snapshot().await?,
            "list leases",
            LeaseRow,
            LIST,
            filter.link.as_deref(),
            filter.state.map(LeaseState::word),
            filter.client.map(|client| client.to_string()),
            after_link,
            after_address,
            rows,
        )?;
        Ok(Page::new(views(rows)?, limit, |view| {
            format!("{}/{}", view.lease.link, view.lease.leased)
        }))
    }

    /// Every lease of a link in any state, for the link's server.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn leases_of_link(&self, link: &str) -> Result<Vec<Lease>, StoreError> {
        let rows = fetch_all!(
            &mut self.snapshot().await?,
            "read the leases of a link",
            LeaseRow,
            OF_LINK,
            link
        )?;
        plain_leases(rows)
    }

    /// When to check next whether a lease or a quarantine has ended. None ends earlier.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn next_lease_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut tx = self.snapshot().await?;
        let row = fetch_optional!(&mut tx, "find the next lease that is due", (Option<i64>,), NEXT_DUE)?;
        Ok(row.and_then(|(due,)| due).map(Timestamp))
    }
}

/// The leases of rows, without the details of their clients.
pub(super) fn plain_leases(rows: Vec<LeaseRow>) -> Result<Vec<Lease>, StoreError> {
    Ok(views(rows)?.into_iter().map(|view| view.lease).collect())
}

fn views(rows: Vec<LeaseRow>) -> Result<Vec<LeaseView>, StoreError> {
    rows.into_iter().map(LeaseView::try_from).collect()
}
