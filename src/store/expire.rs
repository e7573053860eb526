//! Ends leases by the clock.

use super::batch::Batch;
use super::connection::{execute, fetch_all, statements};
use super::leases::{LeaseRow, plain_leases};
use super::writer::Write;
use super::{Store, StoreError};
use crate::model::{EventKind, Lease, LeaseState, NewEvent, Timestamp};

statements! {
    ENDED = "select l.link, l.address, l.client, c.duid, l.iaid, l.source, l.state, l.preferred_until, l.valid_until,
            l.granted, l.changed, l.next_hop, c.hostname, c.link_layer
        from leases l join clients c on c.id = l.client
        where l.state in ('active', 'declined') and l.valid_until <= $1
        order by l.valid_until, l.link, l.address limit $2";
    EXPIRE = "update leases set state = 'expired' where link = $1 and address = $2";
}

/// Leases that one commit ends at most: a herd that ends together must not keep a client waiting.
const PORTION: i64 = 256;

impl Store {
    /// Ends what its source did not end: active leases whose valid lifetime is over, with an event each, and
    /// quarantines that are over, without. Returns them as they are now.
    ///
    /// `changed` stays as it was: it tells of the source's last event, and an event that a source told before the
    /// lease ended and that only now comes in is news.
    ///
    /// # Errors
    ///
    /// When the database is away; leases that were ended before it went are found again as ended.
    pub async fn expire_leases(&self, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        let mut all = Vec::new();
        loop {
            let mut portion = self.write(ExpireLeases { now }).await?;
            if portion.is_empty() {
                return Ok(all);
            }
            all.append(&mut portion);
        }
    }
}

struct ExpireLeases {
    now: Timestamp,
}

impl Write for ExpireLeases {
    type Output = Vec<Lease>;
    const DOING: &'static str = "end leases";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Vec<Lease>, StoreError> {
        let rows = fetch_all!(&mut batch.tx, "find ended leases", LeaseRow, ENDED, self.now.0, PORTION)?;
        let mut leases = plain_leases(rows)?;
        for lease in &mut leases {
            let leased = lease.leased.to_string();
            execute!(&mut batch.tx, "end a lease", EXPIRE, lease.link.as_str(), leased)?;
            if lease.state == LeaseState::Active {
                batch.append_event(self.event(lease)).await?;
            }
            lease.state = LeaseState::Expired;
        }
        Ok(leases)
    }
}

impl ExpireLeases {
    fn event(&self, lease: &Lease) -> NewEvent {
        NewEvent {
            at: self.now,
            kind: EventKind::LeaseExpired,
            link: Some(lease.link.clone()),
            client: Some(lease.client),
            instance: None,
            leased: Some(lease.leased),
            detail: None,
        }
    }
}
