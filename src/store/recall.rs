//! What a DHCPv6 server takes up of its link when it begins to serve.

use std::time::Duration;

use futures_util::{FutureExt, TryStreamExt};

use super::connection::{on, statements, within};
use super::text::Columns;
use super::{Store, StoreError};
use crate::model::{Duid, Iaid, LeaseSource, LeaseState, Leased, Timestamp};

statements! {
    // In no order: however many there are, the database does nothing but read them. As one text each: SQLite's driver
    // hands every value from one thread to another, which takes longer than reading it.
    RECALL = "select l.address || ' ' || c.duid || ' ' || l.iaid || ' ' || l.source || ' ' || l.state || ' ' || l.preferred_until
            || ' ' || l.valid_until || ' ' || l.changed
        from leases l join clients c on c.id = l.client where l.link = $1";
}

const COLUMNS: Columns = Columns("lease");

/// How long rows are left to gather: to be woken for each takes longer than to read it.
const PAUSE: Duration = Duration::from_millis(1);

/// What a DHCPv6 server has to know of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recalled {
    /// The address or the delegated prefix.
    pub leased: Leased,
    /// The DUID of the client that has or had it.
    pub duid: Duid,
    /// The client's identity association.
    pub iaid: Iaid,
    /// Where its events come from.
    pub source: LeaseSource,
    /// What has become of it.
    pub state: LeaseState,
    /// When it stops being preferred.
    pub preferred_until: Timestamp,
    /// When the lease, or the quarantine, ends.
    pub valid_until: Timestamp,
    /// When it last changed.
    pub changed: Timestamp,
}

impl Recalled {
    /// Reads what [`RECALL`] gives.
    fn read(text: &str) -> Result<Self, StoreError> {
        let mut words = text.split(' ');
        let mut word = || words.next().unwrap_or_default();
        Ok(Self {
            leased: COLUMNS.parse("address", word())?,
            duid: COLUMNS.parse("duid", word())?,
            iaid: Iaid(COLUMNS.parse("iaid", word())?),
            source: COLUMNS.parse("source", word())?,
            state: COLUMNS.parse("state", word())?,
            preferred_until: Timestamp(COLUMNS.parse("preferred_until", word())?),
            valid_until: Timestamp(COLUMNS.parse("valid_until", word())?),
            changed: Timestamp(COLUMNS.parse("changed", word())?),
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
            let mut rows = sqlx::query_scalar::<_, String>(RECALL).bind(link).fetch(connection);
            while let Some(row) = within(DOING, rows.try_next()).await? {
                take(Recalled::read(&row)?);
                while let Some(ready) = rows.try_next().now_or_never() {
                    match ready.map_err(|error| StoreError::database(DOING, error))? {
                        Some(row) => take(Recalled::read(&row)?),
                        None => return Ok(()),
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_whole_or_not_at_all() {
        let row = "fd00::1 00:03:00:01:02 7 listener active 10 20 5";
        let lease = Recalled::read(row).unwrap();
        assert_eq!(lease.leased, "fd00::1".parse().unwrap());
        assert_eq!(lease.duid, "00:03:00:01:02".parse().unwrap());
        assert_eq!(
            (lease.iaid, lease.source, lease.state),
            (Iaid(7), LeaseSource::Listener, LeaseState::Active)
        );
        let times = [lease.preferred_until, lease.valid_until, lease.changed];
        assert_eq!(times, [Timestamp(10), Timestamp(20), Timestamp(5)]);
        assert!(Recalled::read("fd00::1 00:03:00:01:02 7 listener active 10 20").is_err());
        assert!(Recalled::read("fd00::1 00:03:00:01:02 -7 listener active 10 20 5").is_err());
    }
}
