//! Deletes old rows.

use super::batch::Batch;
use super::connection::{execute, fetch_optional, statements};
use super::writer::Write;
use super::{Store, StoreError};
use orchestrator_model::Timestamp;

statements! {
    ENDS = "select (select min(id) from events), (select max(id) from events)";
    AT = "select id, at from events where id >= $1 order by id limit 1";
    EVENTS = "delete from events where id in (select id from events where id < $1 order by id limit $2)";
    INSTANCES = "delete from instances where id in (
        select id from instances where phase = 'removed' and changed < $1 limit $2)";
    LEASES = "delete from leases where (link, address) in (
        select link, address from leases
        where (state = 'released' and changed < $1) or (state = 'expired' and valid_until < $1 and changed < $1)
        limit $2)";
    TEMPLATES = "delete from templates where (name, version) in (
        select t.name, t.version from templates t
        where t.made < $1
            and t.version < (select max(last.version) from templates last where last.name = t.name)
            and not exists (select 1 from declared_templates d where d.name = t.name and d.version = t.version)
            and (t.name, t.version) not in (
                select 'service:' || v.service || ':' || v.version, v.template_version from service_versions v)
            and not exists (select 1 from instances i
                where i.template = t.name and i.version = t.version and i.phase <> 'removed')
        limit $2)";
    // The template of a version of a service goes with the version, unless an instance still has it.
    OF_SERVICES = "delete from templates where (name, version) in (
        select t.name, t.version from templates t
        where t.made < $1 and t.name like 'service:%'
            and (t.name, t.version) not in (
                select 'service:' || v.service || ':' || v.version, v.template_version from service_versions v)
            and not exists (select 1 from instances i
                where i.template = t.name and i.version = t.version and i.phase <> 'removed')
        limit $2)";
    // Those of a service that is there are kept by number.
    OPERATIONS = "delete from operations where id in (
        select o.id from operations o where o.ended < $1
            and not exists (select 1 from services s where s.name = o.service)
        limit $2)";
    // A client that still holds the lease under which its slot was spent must not get another instance.
    SPENT = "delete from spent_slots where (owner_kind, owner, slot) in (
        select s.owner_kind, s.owner, s.slot from spent_slots s where s.at < $1
            and not exists (select 1 from leases l where l.client = s.owner and l.state = 'active')
        limit $2)";
    CLIENTS = "delete from clients where id in (
        select c.id from clients c where c.last_seen < $1
            and not exists (select 1 from leases l where l.client = c.id)
            and not exists (select 1 from instances i where i.owner_kind = 'client' and i.owner = c.id)
            and not exists (select 1 from volumes v where v.owner_kind = 'client' and v.owner = c.id)
        limit $2)";
}

/// The number of rows of a kind that one commit deletes at most, so that pruning does not keep a client waiting.
const CHUNK: u64 = 500;

/// The numbers of deleted rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Events.
    pub events: u64,
    /// Removed instances.
    pub instances: u64,
    /// Ended leases.
    pub leases: u64,
    /// Clients of which nothing else was left: no lease, no instance, no volume.
    pub clients: u64,
    /// Versions of templates that are not declared, that no service has, and that no live instance has.
    pub templates: u64,
    /// Ended operations of services that are gone.
    pub operations: u64,
}

impl Store {
    /// Deletes what ended before `before`: events, removed instances, ended leases, clients of which nothing is left,
    /// versions of templates that nothing uses any more, and operations of services that are gone.
    ///
    /// A client whose lease was deleted may get another address when it returns.
    ///
    /// # Errors
    ///
    /// When the database is unreachable. What was deleted before stays deleted.
    pub async fn prune(&self, before: Timestamp) -> Result<Pruned, StoreError> {
        let mut total = Pruned::default();
        let first_kept = self.first_event_since(before).await?;
        loop {
            let chunk = self.write(Prune { before, first_kept }).await?;
            total.add(chunk);
            if !chunk.is_full() {
                return Ok(total);
            }
        }
    }
}

impl Store {
    /// The id of the first event that is not older than this. If all are older, the last event's id: the last event
    /// stays, so that ids continue to rise from it.
    ///
    /// Events are in the order of their commits, which is that of their times unless the clock was set. So an event
    /// that follows a younger one may be deleted only when the younger one is.
    async fn first_event_since(&self, before: Timestamp) -> Result<i64, StoreError> {
        let mut tx = self.snapshot().await?;
        let ends = fetch_optional!(&mut tx, "find the timeline's ends", (Option<i64>, Option<i64>), ENDS)?;
        let Some((Some(mut low), Some(mut high))) = ends else {
            return Ok(0);
        };
        // All events below `low` are older, or precede one that is. `high` is kept.
        while low < high {
            let middle = low + (high - low) / 2;
            let found = fetch_optional!(&mut tx, "look into the timeline", (i64, i64), AT, middle)?;
            match found {
                Some((id, at)) if at < before.0 && id < high => low = id + 1,
                _ => high = middle,
            }
        }
        Ok(high)
    }
}

impl Pruned {
    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.instances += other.instances;
        self.leases += other.leases;
        self.clients += other.clients;
        self.templates += other.templates;
        self.operations += other.operations;
    }

    fn is_full(&self) -> bool {
        let all = [
            self.events,
            self.instances,
            self.leases,
            self.clients,
            self.templates,
            self.operations,
        ];
        all.iter().any(|deleted| *deleted >= CHUNK)
    }
}

struct Prune {
    before: Timestamp,
    first_kept: i64,
}

impl Write for Prune {
    type Output = Pruned;
    const DOING: &'static str = "forget what is old";

    async fn apply(&self, batch: &mut Batch<'_>) -> Result<Pruned, StoreError> {
        let before = self.before.0;
        let chunk = CHUNK.cast_signed();
        execute!(&mut batch.tx, "forget spent slots", SPENT, before, chunk)?;
        Ok(Pruned {
            events: execute!(&mut batch.tx, "forget old events", EVENTS, self.first_kept, chunk)?,
            instances: execute!(&mut batch.tx, "forget removed instances", INSTANCES, before, chunk)?,
            leases: execute!(&mut batch.tx, "forget ended leases", LEASES, before, chunk)?,
            clients: execute!(&mut batch.tx, "forget clients", CLIENTS, before, chunk)?,
            templates: execute!(&mut batch.tx, "forget versions of templates", TEMPLATES, before, chunk)?
                + execute!(
                    &mut batch.tx,
                    "forget templates of services",
                    OF_SERVICES,
                    before,
                    chunk
                )?,
            operations: execute!(&mut batch.tx, "forget operations", OPERATIONS, before, chunk)?,
        })
    }
}
