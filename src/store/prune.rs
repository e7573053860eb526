//! Forgets what is old.

use super::batch::Batch;
use super::connection::{execute, statements};
use super::writer::Write;
use super::{Store, StoreError};
use crate::model::Timestamp;

statements! {
    // The last event stays: ids go on rising from it.
    EVENTS = "delete from events where id in (
        select id from events where at < $1 and id < (select max(id) from events) order by at limit $2)";
    INSTANCES = "delete from instances where id in (
        select id from instances where phase = 'removed' and changed < $1 limit $2)";
    LEASES = "delete from leases where (link, address) in (
        select link, address from leases
        where (state = 'released' and changed < $1) or (state = 'expired' and valid_until < $1 and changed < $1)
        limit $2)";
    CLIENTS = "delete from clients where id in (
        select c.id from clients c where c.last_seen < $1
            and not exists (select 1 from leases l where l.client = c.id)
            and not exists (select 1 from instances i where i.client = c.id)
        limit $2)";
}

/// Rows of a kind that one commit deletes at most: pruning must not keep a client waiting.
const PORTION: u64 = 500;

/// How many rows were forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Events.
    pub events: u64,
    /// Removed instances.
    pub instances: u64,
    /// Leases that had ended.
    pub leases: u64,
    /// Clients of whom nothing else was left.
    pub clients: u64,
}

impl Store {
    /// Forgets what ended before `before`: events, removed instances, ended leases, and clients with nothing left.
    ///
    /// A client whose lease is forgotten may get another address when it returns.
    ///
    /// # Errors
    ///
    /// When the database is away; what was forgotten before it went stays forgotten.
    pub async fn prune(&self, before: Timestamp) -> Result<Pruned, StoreError> {
        let mut total = Pruned::default();
        loop {
            let portion = self.write(Prune { before }).await?;
            total.add(portion);
            if !portion.is_full() {
                return Ok(total);
            }
        }
    }
}

impl Pruned {
    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.instances += other.instances;
        self.leases += other.leases;
        self.clients += other.clients;
    }

    fn is_full(&self) -> bool {
        [self.events, self.instances, self.leases, self.clients].contains(&PORTION)
    }
}

struct Prune {
    before: Timestamp,
}

impl Write for Prune {
    type Output = Pruned;
    const DOING: &'static str = "forget what is old";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Pruned, StoreError> {
        let before = self.before.0;
        let portion = PORTION.cast_signed();
        Ok(Pruned {
            events: execute!(&mut batch.tx, "forget old events", EVENTS, before, portion)?,
            instances: execute!(&mut batch.tx, "forget removed instances", INSTANCES, before, portion)?,
            leases: execute!(&mut batch.tx, "forget ended leases", LEASES, before, portion)?,
            clients: execute!(&mut batch.tx, "forget clients", CLIENTS, before, portion)?,
        })
    }
}
