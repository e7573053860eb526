//! The leader: the daemon that opened a database last. Only the leader writes to it.
//!
//! A row has an epoch, which each daemon raises when it opens the database. Every transaction of the writer begins with
//! a statement that fails unless the epoch is the daemon's own. So nothing is committed once another daemon has raised
//! it:
//!
//! - SQLite takes its one write lock when the transaction begins, so nobody can raise the epoch before its end.
//! - PostgreSQL locks the row until the end of the transaction (`for share`). A daemon that raises the epoch waits for
//!   transactions that began before; those that begin after it fail.
//!
//! The statement is sent in one text with the begin of the transaction, so it costs no round trip of its own. It can
//! answer only by failing: if the row is not as expected, it divides by zero or overflows. When a transaction fails,
//! the writer asks this module for the reason.

use std::fs;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::StoreError;
use super::batch::Batch;
use super::connection::{BEGIN, Session, fetch_optional, statements, within};
use super::guard::Guard;
use super::url::Target;
use orchestrator_model::Timestamp;

statements! {
    TAKE = "insert into leaders (name, epoch, holder, since) values ('daemon', 1, $1, $2)
        on conflict (name) do update set epoch = leaders.epoch + 1, holder = excluded.holder, since = excluded.since
        returning epoch";
    LEADER = "select epoch, holder, since from leaders where name = 'daemon'";
}

/// The lead of this daemon: an epoch, and the texts with which its transactions begin.
#[derive(Debug, Clone)]
pub(super) struct Lead {
    epoch: i64,
    sqlite: Arc<str>,
    postgres: Arc<str>,
}

impl Lead {
    /// Takes the lead from the daemon that has it. Waits for a transaction that has begun before.
    ///
    /// # Errors
    ///
    /// When the database is unreachable, or the other daemon's transaction does not end.
    pub(super) async fn take(session: &mut Session) -> Result<Self, StoreError> {
        let mut batch = Batch::begin(session).await?;
        let (holder, now) = (host_name(), now());
        let taken = fetch_optional!(&mut batch.tx, "take the lead", (i64,), TAKE, holder, now.0)?;
        batch.commit().await?;
        let (epoch,) = taken.ok_or(StoreError::closed("take the lead"))?;
        Ok(Self::of(epoch))
    }

    fn of(epoch: i64) -> Self {
        // In SQLite, a query can fail only by the overflow of `abs`. Neither query returns rows, so it does not disturb
        // the reader of the statements that follow in the same text.
        let sqlite = format!(
            "{BEGIN}; select 1 where abs(case when exists (select 1 from leaders where name = 'daemon' and epoch = {epoch}) \
             then 0 else -9223372036854775807 - 1 end)"
        );
        let postgres = format!(
            "begin; select 1 where 1 / (select count(*) from (select 1 from leaders where name = 'daemon' \
             and epoch = {epoch} for share) own) = 0"
        );
        Self {
            epoch,
            sqlite: sqlite.into(),
            postgres: postgres.into(),
        }
    }

    /// The epoch.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.unsigned_abs()
    }

    /// The text that begins a transaction on SQLite.
    pub(super) fn begin_sqlite(&self) -> &str {
        &self.sqlite
    }

    /// The text that begins a transaction on PostgreSQL.
    pub(super) fn begin_postgres(&self) -> Arc<str> {
        self.postgres.clone()
    }

    /// The reason why a transaction failed: the database is another one, another daemon leads, or the error itself.
    pub(super) async fn explain(&self, fault: StoreError, target: &Target, guard: &Guard) -> StoreError {
        if !matches!(fault, StoreError::Failed { .. }) {
            return fault;
        }
        match self.look(target, guard).await {
            Ok(Some(deposed)) => deposed,
            Err(lost @ StoreError::Lost(_)) => lost,
            Ok(None) | Err(_) => fault,
        }
    }

    /// Checks whether another daemon leads. Returns that as an error.
    async fn look(&self, target: &Target, guard: &Guard) -> Result<Option<StoreError>, StoreError> {
        let mut session = Session::connect(target).await?;
        guard.check_session(&mut session).await?;
        let read = match &mut session {
            Session::Sqlite(session) => within(DOING, sqlx::query_as(LEADER).fetch_optional(session)).await,
            Session::Postgres(session) => within(DOING, sqlx::query_as(LEADER).fetch_optional(session)).await,
        };
        session.close().await;
        let (epoch, holder, since): (i64, String, i64) = read?.unwrap_or_default();
        Ok((epoch != self.epoch).then_some(StoreError::Deposed {
            own: self.epoch,
            epoch,
            holder,
            since: Timestamp(since),
        }))
    }
}

const DOING: &str = "look who leads";

/// The name of this machine, for people.
fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() {
        "unknown".to_owned()
    } else {
        name.to_owned()
    }
}

/// The wall clock. The daemon's clock does not run yet.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
