//! The same code for two databases: enums of sqlx's types for each, and macros that expand one body for both.
//!
//! Every wait has a limit, so that no caller or client waits for ever. The text of a statement is the same for both
//! databases, except for how statements over many rows get them ([`rows`](super::rows)). [`statements!`] lists the
//! texts of a module, so that a test can prepare each of them on both databases.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Postgres, Sqlite, SqliteConnection, Transaction,
};

use super::StoreError;
use super::leader::Lead;
use super::url::{Target, WRITER_CACHE};

/// The time limit for connecting, or for getting a connection from the pool.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// The time limit of one statement.
pub(super) const STATEMENT_LIMIT: Duration = Duration::from_secs(3);

/// The number of connections that read at the same time.
const READERS: u32 = 4;

/// Makes PostgreSQL use indexes in the writer's session. Otherwise a plan from the time when a table was small would
/// scan the whole table after it has grown. Each statement has only one good plan, so PostgreSQL need not plan it again
/// for each group.
///
/// While a transaction waits for a daemon that hangs or is unreachable, no other daemon can take the lead. So
/// PostgreSQL ends such a transaction.
const ROW_BY_ROW: &str = "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; \
    set plan_cache_mode = force_generic_plan; set idle_in_transaction_session_timeout = '10s'";

/// Names SQL texts, and lists them as `STATEMENTS`.
macro_rules! statements {
    ($($name:ident = $sql:expr;)+) => {
        $(const $name: &str = $sql;)+
        pub(super) const STATEMENTS: &[&str] = &[$($name),+];
    };
}
pub(super) use statements;

/// Expands one body for both databases; in it, `$connection` is the connection of a [`Tx`].
macro_rules! on {
    ($tx:expr, $connection:ident => $body:expr) => {
        match $tx {
            $crate::connection::Tx::Sqlite(inner) => {
                let $connection = &mut **inner;
                $body
            }
            $crate::connection::Tx::Postgres(inner) => {
                let $connection = &mut **inner;
                $body
            }
        }
    };
}
pub(super) use on;

/// Runs a statement without result rows. Returns the number of affected rows.
macro_rules! execute {
    ($tx:expr, $doing:literal, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::connection::on!($tx, connection => $crate::connection::within(
            $doing,
            async { Ok(sqlx::query($sql)$(.bind($bind))*.execute(connection).await?.rows_affected()) },
        ).await)
    };
}
pub(super) use execute;

/// Runs a statement, and returns all its rows as `$row`.
macro_rules! fetch_all {
    ($tx:expr, $doing:literal, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::connection::on!($tx, connection => $crate::connection::within(
            $doing,
            sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_all(connection),
        ).await)
    };
}
pub(super) use fetch_all;

/// Runs a statement, and returns its row as `$row`, if there is one.
macro_rules! fetch_optional {
    ($tx:expr, $doing:literal, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::connection::on!($tx, connection => $crate::connection::within(
            $doing,
            sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_optional(connection),
        ).await)
    };
}
pub(super) use fetch_optional;

/// Waits for the database within the time limit.
pub(super) async fn within<T>(
    doing: &'static str,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(STATEMENT_LIMIT, answer).await {
        Ok(answer) => answer.map_err(|error| StoreError::database(doing, error)),
        Err(_) => Err(StoreError::slow(doing, STATEMENT_LIMIT)),
    }
}

/// A transaction, or a connection for one statement. A transaction is rolled back when it is dropped; on the writer's SQLite
/// connection, when that is dropped.
pub(super) enum Tx<'c> {
    Sqlite(SqliteTx<'c>),
    Postgres(Transaction<'c, Postgres>),
}

/// A transaction of SQLite, or a connection for one statement.
///
/// The writer begins and commits its own transactions by SQL text, which can be combined with other statements. A trip
/// to the connection's thread takes longer than most statements.
pub(super) enum SqliteTx<'c> {
    Reader(Transaction<'c, Sqlite>),
    /// No transaction: each statement sees one moment by itself.
    Glance(PoolConnection<Sqlite>),
    Writer(&'c mut SqliteConnection),
}

impl Deref for SqliteTx<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match self {
            Self::Reader(inner) => inner,
            Self::Glance(connection) => connection,
            Self::Writer(connection) => connection,
        }
    }
}

impl DerefMut for SqliteTx<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Reader(inner) => inner,
            Self::Glance(connection) => connection,
            Self::Writer(connection) => connection,
        }
    }
}

/// Begins a transaction that writes. SQLite takes its only write lock at once, so that no later statement fails for it.
pub(super) const BEGIN: &str = "begin immediate";
/// Commits the transaction durably.
pub(super) const COMMIT: &str = "commit";

impl Tx<'_> {
    /// Commits. On SQLite, the text that begins the transaction must have run before.
    pub(super) async fn commit(self, doing: &'static str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(SqliteTx::Reader(inner)) => within(doing, inner.commit()).await,
            Self::Sqlite(SqliteTx::Glance(_)) => Ok(()),
            Self::Sqlite(SqliteTx::Writer(connection)) => within(doing, connection.execute(COMMIT)).await.map(drop),
            Self::Postgres(inner) => within(doing, inner.commit()).await,
        }
    }
}

/// A connection with one user.
pub(super) enum Session {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Session {
    /// Connects for writing.
    pub(super) async fn connect(target: &Target) -> Result<Self, StoreError> {
        let doing = "connect to the database";
        let connected = async {
            match target {
                Target::Sqlite(options) => {
                    let options = options.as_ref().clone().pragma("cache_size", WRITER_CACHE);
                    options.connect().await.map(Self::Sqlite)
                }
                Target::Postgres(options) => {
                    let mut session = options.connect().await?;
                    session.execute(ROW_BY_ROW).await?;
                    Ok(Self::Postgres(session))
                }
            }
        };
        match tokio::time::timeout(CONNECT_LIMIT, connected).await {
            Ok(session) => session.map_err(|error| StoreError::database(doing, error)),
            Err(_) => Err(StoreError::slow(doing, CONNECT_LIMIT)),
        }
    }

    /// A transaction that writes, as long as this daemon has `lead`. On SQLite the caller must begin it with [`BEGIN`]
    /// or the lead's text. If such a transaction fails, the caller must drop the session, which rolls it back.
    pub(super) async fn transaction(&mut self, lead: Option<&Lead>) -> Result<Tx<'_>, StoreError> {
        match self {
            Self::Sqlite(session) => Ok(Tx::Sqlite(SqliteTx::Writer(session))),
            Self::Postgres(session) => {
                let doing = "begin a transaction";
                let begun = match lead {
                    Some(lead) => within(doing, session.begin_with(AssertSqlSafe(lead.begin_postgres()))).await,
                    None => within(doing, session.begin()).await,
                };
                begun.map(Tx::Postgres)
            }
        }
    }

    /// Whether a dropped transaction is rolled back by itself, so that the session can be used further.
    pub(super) const fn rolls_back(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Copies SQLite's log into the file as far as that delays nobody. PostgreSQL does this by itself.
    ///
    /// It takes as long as the disk needs.
    pub(super) async fn checkpoint(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(session) => session
                .execute("pragma wal_checkpoint(passive)")
                .await
                .map(drop)
                .map_err(|error| StoreError::database("bring the file up to date with the log", error)),
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Closes the connection, if the database still answers.
    pub(super) async fn close(self) {
        let closed = async {
            match self {
                Self::Sqlite(session) => session.close().await,
                Self::Postgres(session) => session.close().await,
            }
        };
        // A connection that cannot even be closed is dropped.
        if let Ok(Err(error)) = tokio::time::timeout(CONNECT_LIMIT, closed).await {
            tracing::debug!(%error, "the database connection did not close cleanly");
        }
    }
}

/// Connections for readers. They are opened when they are needed.
#[derive(Debug, Clone)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Pool {
    /// A pool that has not connected yet.
    pub(super) fn new(target: &Target) -> Self {
        match target {
            // A test of an open file would find nothing.
            Target::Sqlite(options) => Self::Sqlite(
                SqlitePoolOptions::new()
                    .max_connections(READERS)
                    .acquire_timeout(CONNECT_LIMIT)
                    .test_before_acquire(false)
                    .connect_lazy_with((**options).clone()),
            ),
            Target::Postgres(options) => Self::Postgres(
                PgPoolOptions::new()
                    .max_connections(READERS)
                    .acquire_timeout(CONNECT_LIMIT)
                    .connect_lazy_with((**options).clone()),
            ),
        }
    }

    /// A transaction that sees one moment of the database, so that everything read in it is consistent.
    pub(super) async fn snapshot(&self) -> Result<Tx<'static>, StoreError> {
        let doing = "read";
        match self {
            Self::Sqlite(pool) => within(doing, pool.begin_with("begin deferred"))
                .await
                .map(|inner| Tx::Sqlite(SqliteTx::Reader(inner))),
            Self::Postgres(pool) => within(
                doing,
                pool.begin_with("begin isolation level repeatable read read only"),
            )
            .await
            .map(Tx::Postgres),
        }
    }

    /// A connection for one statement, which sees one moment by itself. On SQLite that saves two of three trips to the
    /// connection's thread.
    pub(super) async fn glance(&self) -> Result<Tx<'static>, StoreError> {
        match self {
            Self::Sqlite(pool) => within("read", pool.acquire())
                .await
                .map(|connection| Tx::Sqlite(SqliteTx::Glance(connection))),
            Self::Postgres(_) => self.snapshot().await,
        }
    }

    /// Closes all connections.
    pub(super) async fn close(&self) {
        let closed = async {
            match self {
                Self::Sqlite(pool) => pool.close().await,
                Self::Postgres(pool) => pool.close().await,
            }
        };
        if tokio::time::timeout(CONNECT_LIMIT, closed).await.is_err() {
            tracing::debug!("a reader still held its database connection when the store closed");
        }
    }
}
