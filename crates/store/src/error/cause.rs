//! What a failure of a database means, by the codes of SQLite and PostgreSQL.

use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteError;

/// Whether the database is away for now: it, its disk or the way to it.
pub(super) fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => match error.try_downcast_ref::<SqliteError>() {
            Some(error) => sqlite_is_away(error),
            None => error.code().is_some_and(|code| postgres_is_away(&code)),
        },
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        _ => false,
    }
}

/// Whether the database is damaged.
pub(super) fn is_damaged(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    match error.try_downcast_ref::<SqliteError>() {
        Some(error) => sqlite_is_damaged(primary(error)),
        None => error.code().is_some_and(|code| postgres_is_damaged(&code)),
    }
}

/// Result codes of SQLite for damaged pages, and for files that are not databases.
fn sqlite_is_damaged(code: i32) -> bool {
    const CORRUPT: i32 = 11;
    const NOTADB: i32 = 26;
    [CORRUPT, NOTADB].contains(&code)
}

/// SQLSTATEs: `data_corrupted` and `index_corrupted`.
fn postgres_is_damaged(code: &str) -> bool {
    ["XX001", "XX002"].contains(&code)
}

/// SQLite's primary result code: the lowest byte.
fn primary(error: &SqliteError) -> i32 {
    let code = error.code().and_then(|code| code.parse::<i32>().ok());
    code.unwrap_or_default() & 0xff
}

/// Result codes of SQLite for temporary failures.
fn sqlite_is_away(error: &SqliteError) -> bool {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const NOMEM: i32 = 7;
    const READONLY: i32 = 8;
    const IOERR: i32 = 10;
    const FULL: i32 = 13;
    const CANTOPEN: i32 = 14;
    const PROTOCOL: i32 = 15;
    [BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN, PROTOCOL].contains(&primary(error))
}

/// SQLSTATE classes: connection, authorization, no such database, resources (including a full disk), operator
/// intervention, system error; and a server that only reads, such as a standby.
fn postgres_is_away(code: &str) -> bool {
    const READ_ONLY: &str = "25006";
    code == READ_ONLY
        || ["08", "28", "3D", "53", "57", "58"]
            .iter()
            .any(|class| code.starts_with(class))
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_full_disk_is_away_and_a_missing_table_is_not() {
        assert!(postgres_is_away("53100"));
        assert!(postgres_is_away("57P01"));
        assert!(postgres_is_away("25006"));
        assert!(!postgres_is_away("42P01"));
        assert!(!postgres_is_away("23505"));
    }

    #[test]
    fn damage_is_another_failure_than_a_disk_that_fails() {
        assert!(sqlite_is_damaged(11) && sqlite_is_damaged(26) && !sqlite_is_damaged(10));
        assert!(postgres_is_damaged("XX001") && postgres_is_damaged("XX002"));
        assert!(!postgres_is_damaged("58030") && postgres_is_away("58030"));
    }

    #[test]
    fn what_the_pool_and_the_wire_say_is_away() {
        assert!(is_away(&sqlx::Error::PoolTimedOut));
        assert!(is_away(&sqlx::Error::Io(io::ErrorKind::ConnectionReset.into())));
        assert!(!is_away(&sqlx::Error::RowNotFound));
    }
}
