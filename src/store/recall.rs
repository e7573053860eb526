//! What a DHCPv6 server takes up of its link when it begins to serve.

use futures_util::TryStreamExt;

use super::connection::{on, statements, within};
use super::text::Columns;
use super::{Store, StoreError};
use crate::model::{Duid, Iaid, LeaseState, Leased, Timestamp};

statements! {
    // In no order: however many there are, the database does nothing but read them.
    RECALL = "select l.address, c.duid, l.iaid, l.state, l.preferred_until, l.valid_until, l.changed
        from leases l join clients c on c.id = l.client where l.link = $1";
}

const COLUMNS: Columns = Columns("lease");

type Row = (String, String, i64, String, i64, i64, i64);

/// What a DHCPv6 server has to know of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recalled {
    /// The address or the delegated prefix.
    pub leased: Leased,
    /// The DUID of the client that has or had it.
    pub duid: Duid,
    /// The client's identity association.
    pub iaid: Iaid,
    /// What has become of it.
    pub state: LeaseState,
    /// When it stops being preferred.
    pub preferred_until: Timestamp,
    /// When the lease, or the quarantine, ends.
    pub valid_until: Timestamp,
    /// When it last changed.
    pub changed: Timestamp,
}

impl TryFrom<Row> for Recalled {
    type Error = StoreError;

    fn try_from((leased, duid, iaid, state, preferred_until, valid_until, changed): Row) -> Result<Self, StoreError> {
        Ok(Self {
            leased: COLUMNS.parse("address", &leased)?,
            duid: COLUMNS.parse("duid", &duid)?,
            iaid: Iaid(COLUMNS.number("iaid", iaid)?),
            state: COLUMNS.parse("state", &state)?,
            preferred_until: Timestamp(preferred_until),
            valid_until: Timestamp(valid_until),
            changed: Timestamp(changed),
        })
    }
}

impl Store {
    /// Hands over every lease of a link, in every state and in no order, one after the other: there may be millions.
    ///
    /// # Errors
    ///
    /// When the database is away, does not go on for as long as a statement may take, or holds what cannot be read.
    /// Some have been handed over by then.
    pub async fn recall(&self, link: &str, mut take: impl FnMut(Recalled) + Send) -> Result<(), StoreError> {
        const DOING: &str = "read the leases of a link";
        let mut tx = self.snapshot().await?;
        on!(&mut tx, connection => {
            let mut rows = sqlx::query_as::<_, Row>(RECALL).bind(link).fetch(connection);
            while let Some(row) = within(DOING, rows.try_next()).await? {
                take(row.try_into()?);
            }
        });
        Ok(())
    }
}
