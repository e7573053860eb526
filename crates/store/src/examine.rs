//! Checks the database for damage.

use std::time::Duration;

use super::connection::{Session, statements};
use super::{DamageCause, Store, StoreError};

statements! {
    // Each reads a whole table. PostgreSQL refuses a damaged page, which it detects if checksums are enabled.
    CLIENTS = "select count(*) from clients where link || duid <> ''";
    LEASES = "select count(*) from leases where link || state <> ''";
    HOSTS = "select count(*) from hosts where name || state <> ''";
    INSTANCES = "select count(*) from instances where owner || spec <> ''";
    CONTAINERS = "select count(*) from containers where engine || image <> ''";
    ATTACHMENTS = "select count(*) from attachments where network || bridge || mac <> ''";
    RESERVATIONS = "select count(*) from reservations where link || holder <> ''";
    LEADERS = "select count(*) from leaders where holder <> ''";
    SECRETS = "select count(*) from secrets where name || sealed <> ''";
    AUTHORITIES = "select count(*) from authorities where id || certificate <> ''";
    CERTIFICATES = "select count(*) from certificates where serial || subject <> ''";
    EVENTS = "select count(*) from events where kind <> ''";
}

/// Checks the structure of every page. The result is `ok`, or the first fault.
const QUICK_CHECK: &str = "pragma quick_check(1)";

/// The time limit of a check of the whole database.
const LIMIT: Duration = Duration::from_secs(300);

const DOING: &str = "read all of it";

impl Store {
    /// Reads the whole database on a separate connection, and checks it for damage. Once damage was found, nothing more
    /// is written.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`]; when the database is unreachable or lost.
    pub async fn examine(&self) -> Result<(), StoreError> {
        self.shared.guard.check()?;
        let outcome = async {
            let mut session = Session::connect(&self.shared.target).await?;
            let examined = examine(&mut session).await;
            session.close().await;
            examined
        };
        let outcome = outcome.await;
        if let Err(fault) = &outcome {
            self.shared.guard.note(fault);
        }
        outcome
    }
}

/// Reads the whole database.
pub(super) async fn examine(session: &mut Session) -> Result<(), StoreError> {
    let reading = async {
        match session {
            Session::Sqlite(session) => {
                let (found,): (String,) = sqlx::query_as(QUICK_CHECK).fetch_one(session).await?;
                Ok(Some(found).filter(|found| found != "ok"))
            }
            Session::Postgres(session) => {
                for table in STATEMENTS.iter().copied() {
                    sqlx::query(table).execute(&mut *session).await?;
                }
                Ok(None)
            }
        }
    };
    match tokio::time::timeout(LIMIT, reading).await {
        Ok(Ok(None)) => Ok(()),
        Ok(Ok(Some(found))) => Err(StoreError::Damaged {
            doing: DOING,
            source: DamageCause::Found(found),
        }),
        Ok(Err(error)) => Err(StoreError::database(DOING, error)),
        Err(_) => Err(StoreError::slow(DOING, LIMIT)),
    }
}

/// Whether the database has this program's schema yet.
pub(super) async fn has_schema(session: &mut Session) -> Result<bool, StoreError> {
    let found = match session {
        Session::Sqlite(session) => sqlx::query("select name from sqlite_master where name = 'events'")
            .fetch_optional(session)
            .await
            .map(|row| row.is_some()),
        Session::Postgres(session) => sqlx::query_as::<_, (bool,)>("select to_regclass('events') is not null")
            .fetch_one(session)
            .await
            .map(|(found,)| found),
    };
    found.map_err(|error| StoreError::database("look at the database", error))
}
