//! Ends leases whose lifetime is over.
//!
//! A lease is due no later than it ends. A renewal does not change when the lease is due, so it writes no index for
//! that. The sweep that finds a renewed lease moves its due time on, together with those of leases that are due soon.
//! Otherwise each would need a sweep and a commit of its own.

use std::time::Duration;

use super::batch::Batch;
use super::connection::{fetch_all, statements};
use super::leases::{LeaseRow, plain_leases};
use super::rows::{ManyRows, Text, execute_rows};
use super::writer::Write;
use super::{Store, StoreError};
use orchestrator_model::{EventKind, Lease, LeaseState, NewEvent, Timestamp};

statements! {
    // A lease that ends soon keeps its due time.
    DUE = "select l.link, l.address, l.client, c.duid, l.iaid, l.source, l.state, l.preferred_until, l.valid_until,
            l.granted, l.changed, l.next_hop, l.link_layer as granted_link_layer, l.link_local, l.port, l.relay,
            c.hostname, c.link_layer
        from leases l join clients c on c.id = l.client
        where l.due <= $2 and (l.valid_until <= $1 or l.valid_until > l.due) order by l.due limit $3";
}

static EXPIRE: ManyRows = ManyRows::new(
    &[("link", Text), ("address", Text)],
    "update or fail leases set state = 'expired', due = null
    from given where leases.link = given.link and leases.address = given.address",
);
static MOVE_ON: ManyRows = ManyRows::new(
    &[("link", Text), ("address", Text)],
    "update or fail leases set due = valid_until
    from given where leases.link = given.link and leases.address = given.address",
);

/// Every statement over many rows of this module.
pub(super) static MANY: [&ManyRows; 2] = [&EXPIRE, &MOVE_ON];

/// The number of leases that one commit handles, so that a burst of expiries does not keep a client waiting.
const CHUNK: i64 = 256;

/// Renewed leases that are due within this time are moved on, too. It is longer than the time between two sweeps.
const SOON: Duration = Duration::from_secs(2);

impl Store {
    /// Ends leases that their source did not end: active leases whose valid lifetime is over, each with an event, and
    /// quarantines that are over, without one. Returns the ended leases.
    ///
    /// `changed` keeps the time of the source's last event. So an event that happened before the end of the lease but
    /// arrives later still counts as new.
    ///
    /// # Errors
    ///
    /// When the database is unreachable. A later call does not return leases that were already ended then.
    pub async fn expire_leases(&self, now: Timestamp) -> Result<Vec<Lease>, StoreError> {
        let mut all = Vec::new();
        while let Some(mut chunk) = self.write(ExpireLeases { now }).await? {
            all.append(&mut chunk);
        }
        Ok(all)
    }
}

struct ExpireLeases {
    now: Timestamp,
}

impl Write for ExpireLeases {
    /// The due leases that ended; `None` when none was due.
    type Output = Option<Vec<Lease>>;
    const DOING: &'static str = "end leases";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Self::Output, StoreError> {
        let (now, soon) = (self.now.0, self.now.plus(SOON).0);
        let rows = fetch_all!(&mut batch.tx, "find ended leases", LeaseRow, DUE, now, soon, CHUNK)?;
        let due = plain_leases(rows)?;
        if due.is_empty() {
            return Ok(None);
        }
        let (mut ended, renewed): (Vec<Lease>, Vec<Lease>) =
            due.into_iter().partition(|lease| lease.valid_until <= self.now);
        execute_rows!(batch, "end leases", EXPIRE, &ended,
            lease => [lease.link.as_str(), lease.leased.to_string()])?;
        execute_rows!(batch, "look at leases later", MOVE_ON, &renewed,
            lease => [lease.link.as_str(), lease.leased.to_string()])?;
        let held = ended.iter().filter(|lease| lease.state == LeaseState::Active);
        batch
            .append_events(held.map(|lease| self.event(lease)).collect())
            .await?;
        for lease in &mut ended {
            lease.state = LeaseState::Expired;
        }
        Ok(Some(ended))
    }
}

impl ExpireLeases {
    fn event(&self, lease: &Lease) -> NewEvent {
        NewEvent {
            link: Some(lease.link.clone()),
            client: Some(lease.client),
            leased: Some(lease.leased),
            ..NewEvent::new(self.now, EventKind::LeaseExpired)
        }
    }
}
