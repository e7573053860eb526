//! One code over two databases: enums of what sqlx has of each, and macros that expand one body for both.
//!
//! Every wait that a caller or a client is kept by has a limit. The text of a statement is the same for both, apart from
//! how those over many rows get them ([`rows`](super::rows)); [`statements!`] keeps the texts of a module together, so
//! that a test can prepare each of them on both.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use sqlx::postgres::{PgPool, PgPoolOptions};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, Postgres, Sqlite, SqliteConnection, Transaction,
};

use super::StoreError;
use super::leader::Lead;
use super::url::{Target, WRITER_CACHE};

/// How long making a connection, or getting one from the pool, may take.
pub(super) const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// How long one statement may take.
pub(super) const STATEMENT_LIMIT: Duration = Duration::from_secs(3);

/// Connections that read at the same time.
const READERS: u32 = 4;

/// Makes PostgreSQL use indexes in the writer's session. A plan from when a table was small would read the whole table,
/// also after it has grown. Each statement has only one good plan, so it is planned once; otherwise PostgreSQL would
/// plan it again for each group.
///
/// While a transaction waits for a daemon that hangs, or whose machine is gone, no other can take the lead: PostgreSQL
/// ends it.
const ROW_BY_ROW: &str = "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; \
    set plan_cache_mode = force_generic_plan; set idle_in_transaction_session_timeout = '10s'";

/// Names SQL texts, and lists them all as `STATEMENTS`.
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

/// Runs a statement that answers no rows; gives the number of rows it touched.
macro_rules! execute {
    ($tx:expr, $doing:literal, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::connection::on!($tx, connection => $crate::connection::within(
            $doing,
            async { Ok(sqlx::query($sql)$(.bind($bind))*.execute(connection).await?.rows_affected()) },
        ).await)
    };
}
pub(super) use execute;

/// Runs a statement and gives all its rows as `$row`.
macro_rules! fetch_all {
    ($tx:expr, $doing:literal, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::connection::on!($tx, connection => $crate::connection::within(
            $doing,
            sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_all(connection),
        ).await)
    };
}
pub(super) use fetch_all;

/// Runs a statement and gives its row as `$row`, if there is one.
macro_rules! fetch_optional {
    ($tx:expr, $doing:literal, $row:ty, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::connection::on!($tx, connection => $crate::connection::within(
            $doing,
            sqlx::query_as::<_, $row>($sql)$(.bind($bind))*.fetch_optional(connection),
        ).await)
    };
}
pub(super) use fetch_optional;

/// Waits for the database, but not forever.
pub(super) async fn within<T>(
    doing: &'static str,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(STATEMENT_LIMIT, answer).await {
        Ok(answer) => answer.map_err(|error| StoreError::database(doing, error)),
        Err(_) => Err(StoreError::slow(doing, STATEMENT_LIMIT)),
    }
}

/// A transaction: rolled back when it is dropped, or, on the writer's SQLite connection, with that.
pub(super) enum Tx<'c> {
    Sqlite(SqliteTx<'c>),
    Postgres(Transaction<'c, Postgres>),
}

/// A transaction of SQLite.
///
/// The writer begins and commits its own by SQL text, which may stand before and behind other statements: each trip to
/// the thread of the connection costs more than most statements.
pub(super) enum SqliteTx<'c> {
    Reader(Transaction<'c, Sqlite>),
    Writer(&'c mut SqliteConnection),
}

impl Deref for SqliteTx<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match self {
            Self::Reader(inner) => inner,
            Self::Writer(connection) => connection,
        }
    }
}

impl DerefMut for SqliteTx<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match self {
            Self::Reader(inner) => inner,
            Self::Writer(connection) => connection,
        }
    }
}

/// Begins a transaction that writes. SQLite takes its one write lock at once: no later statement can fail for it.
pub(super) const BEGIN: &str = "begin immediate";
/// Ends it, durable.
pub(super) const COMMIT: &str = "commit";

impl Tx<'_> {
    /// Commits. The writer's own begin on SQLite, if it was not the caller's, has to have run.
    pub(super) async fn commit(self, doing: &'static str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(SqliteTx::Reader(inner)) => within(doing, inner.commit()).await,
            Self::Sqlite(SqliteTx::Writer(connection)) => within(doing, connection.execute(COMMIT)).await.map(drop),
            Self::Postgres(inner) => within(doing, inner.commit()).await,
        }
    }
}

/// One connection of its own.
pub(super) enum Session {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Session {
    /// Connects, to write.
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

    /// A transaction that writes, while `lead` is this daemon's. On SQLite it begins with [`BEGIN`] or the lead's text,
    /// which is the caller's to say; and a session whose transaction failed is to be dropped, which rolls it back.
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

    /// Whether a transaction that is dropped is rolled back by itself, and the session can go on.
    pub(super) const fn rolls_back(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// Brings SQLite's file up to date with its log, as far as that keeps nobody waiting. PostgreSQL does so by itself.
    ///
    /// It takes as long as the disk takes.
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

    /// Says good-bye to the database, if it still listens.
    pub(super) async fn close(self) {
        let closed = async {
            match self {
                Self::Sqlite(session) => session.close().await,
                Self::Postgres(session) => session.close().await,
            }
        };
        // Nobody waits for a connection that does not even close.
        if let Ok(Err(error)) = tokio::time::timeout(CONNECT_LIMIT, closed).await {
            tracing::debug!(%error, "the database connection did not close cleanly");
        }
    }
}

/// Connections for readers, made as they are needed.
#[derive(Debug, Clone)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl Pool {
    /// A pool that has not connected yet.
    pub(super) fn new(target: &Target) -> Self {
        match target {
            // Asking a file whether it is still there finds out nothing.
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

    /// One moment of the database: everything read in it belongs together.
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
