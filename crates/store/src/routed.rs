//! Active delegated prefixes, with their next hops.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use sqlx::FromRow;

use super::connection::{fetch_all, fetch_optional, statements};
use super::text::Columns;
use super::{Store, StoreError};
use orchestrator_model::{Leased, Timestamp};

statements! {
    LINKS = "select distinct link from leases
        where next_hop is not null and state = 'active' and valid_until > $1 order by link";
    OF_LINK = "select address, next_hop from leases
        where link = $1 and state = 'active' and valid_until > $2 and next_hop is not null";
    OF_PREFIX = "select address, next_hop from leases
        where link = $1 and address = $3 and state = 'active' and valid_until > $2 and next_hop is not null";
    // An instance on its way out gives its routes up by itself.
    ATTACHED = "select bridge, address, routed from attachments
        where live = 1 and address is not null and routed <> '[]'
            and instance not in (select id from instances where phase = 'removing') order by id";
}

const COLUMNS: Columns = Columns("lease");
const ATTACHMENT: Columns = Columns("attachment");

#[derive(FromRow)]
struct RoutedRow {
    address: String,
    next_hop: String,
}

impl RoutedRow {
    /// `None` for an address, which is on the link and needs no route.
    fn read(&self) -> Result<Option<(Ipv6Net, Ipv6Addr)>, StoreError> {
        let leased: Leased = COLUMNS.parse("address", &self.address)?;
        let next_hop = COLUMNS.parse("next_hop", &self.next_hop)?;
        Ok(leased.prefix().map(|prefix| (prefix, next_hop)))
    }
}

/// A prefix that is routed to a live instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedPrefix {
    /// The prefix.
    pub prefix: Ipv6Net,
    /// The instance's address, which is the next hop.
    pub address: Ipv6Addr,
    /// The bridge of the instance.
    pub bridge: String,
}

impl Store {
    /// The prefixes that are routed to live instances whose addresses are known.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn attached_prefixes(&self) -> Result<Vec<AttachedPrefix>, StoreError> {
        let mut tx = self.snapshot().await?;
        let rows = fetch_all!(
            &mut tx,
            "read the prefixes of instances",
            (String, String, String),
            ATTACHED
        )?;
        let mut all = Vec::new();
        for (bridge, address, routed) in rows {
            let address = ATTACHMENT.parse("address", &address)?;
            let routed: Vec<Ipv6Net> = serde_json::from_str(&routed).map_err(|_| ATTACHMENT.bad("routed", &routed))?;
            all.extend(routed.into_iter().map(|prefix| AttachedPrefix {
                prefix,
                address,
                bridge: bridge.clone(),
            }));
        }
        Ok(all)
    }

    /// The links with any active prefix at this time, whether or not the settings still have them.
    ///
    /// # Errors
    ///
    /// When the database is unreachable.
    pub async fn routed_links(&self, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let mut tx = self.glance().await?;
        let rows = fetch_all!(&mut tx, "read which links have prefixes", (String,), LINKS, now.0)?;
        Ok(rows.into_iter().map(|(link,)| link).collect())
    }

    /// The active prefixes of a link at this time, each with its next hop; without prefixes that relay agents route.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn routed_prefixes(&self, link: &str, now: Timestamp) -> Result<Vec<(Ipv6Net, Ipv6Addr)>, StoreError> {
        let mut tx = self.glance().await?;
        let rows = fetch_all!(&mut tx, "read the prefixes of a link", RoutedRow, OF_LINK, link, now.0)?;
        rows.iter().filter_map(|row| row.read().transpose()).collect()
    }

    /// The next hop of a prefix of a link; `None` if the prefix is not active at this time, or a relay agent routes it.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or a row cannot be read.
    pub async fn routed_prefix(
        &self,
        link: &str,
        prefix: Ipv6Net,
        now: Timestamp,
    ) -> Result<Option<Ipv6Addr>, StoreError> {
        let mut tx = self.snapshot().await?;
        let address = Leased::from(prefix).to_string();
        let row = fetch_optional!(&mut tx, "look up a prefix", RoutedRow, OF_PREFIX, link, now.0, address)?;
        let routed = row.map(|row| row.read()).transpose()?.flatten();
        Ok(routed.map(|(_, next_hop)| next_hop))
    }
}
