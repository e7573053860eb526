//! Converts `store.url` into options of a connection.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use super::StoreError;

/// How long a statement waits while another process locks the SQLite file.
const BUSY_LIMIT: Duration = Duration::from_secs(2);

/// The number of prepared statements that a connection keeps. The least recently used are dropped.
const STATEMENTS: usize = 256;

/// The writer's page cache for a SQLite file, in KiB as a negative number. It holds the pages that are written often
/// for a million leases and their indexes. Readers have SQLite's own 2 MiB, and the kernel's cache.
pub(super) const WRITER_CACHE: &str = "-65536";

/// The length of SQLite's log, in pages (128 MiB), at which a commit also copies it into the file. Usually a separate
/// task does that earlier.
const CHECKPOINT: &str = "32768";

/// The number of rows of a SQLite file that are read ahead of their reader.
const ROWS: usize = 4096;

/// A database of either kind, with the options of a connection.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// A file on this host.
    Sqlite(Box<SqliteConnectOptions>),
    /// A PostgreSQL server.
    Postgres(Box<PgConnectOptions>),
}

/// Parses a URL: `sqlite:///path`, or `postgres://…` with everything that libpq's URLs allow.
pub(super) fn parse_url(url: &str) -> Result<Target, StoreError> {
    let bad = |reason: String| StoreError::BadUrl {
        url: without_password(url),
        reason,
    };
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(bad("it has no scheme".to_owned()));
    };
    match scheme {
        "sqlite" => sqlite(rest)
            .map(|options| Target::Sqlite(Box::new(options)))
            .map_err(bad),
        "postgres" | "postgresql" => match PgConnectOptions::from_str(url) {
            Ok(options) => Ok(Target::Postgres(Box::new(
                without_brackets(options)
                    .application_name("orchestrator")
                    .statement_cache_capacity(STATEMENTS),
            ))),
            Err(error) => Err(bad(error.to_string())),
        },
        _ => Err(bad(format!("there is no database {scheme:?}"))),
    }
}

fn sqlite(rest: &str) -> Result<SqliteConnectOptions, String> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if path.is_empty() || path.starts_with(":memory:") {
        return Err("state in memory would be lost with the daemon; it takes the path of a file".to_owned());
    }
    if path.contains('?') {
        return Err("options after \"?\" are not taken".to_owned());
    }
    Ok(SqliteConnectOptions::new()
        .filename(PathBuf::from(path))
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        // A client gets its lease after this, so the commit must survive a power cut.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_LIMIT)
        .statement_cache_capacity(STATEMENTS)
        .pragma("wal_autocheckpoint", CHECKPOINT)
        .row_buffer_size(ROWS)
        .foreign_keys(true))
}

/// The host as it is looked up. A URL has an IPv6 address in brackets (RFC 3986, section 3.2.2), which are not a part
/// of the address.
fn without_brackets(options: PgConnectOptions) -> PgConnectOptions {
    let host = options.get_host();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bare.map(str::to_owned) {
        Some(bare) => options.host(&bare),
        None => options,
    }
}

/// The URL without the password, which is between the user's name and the `@`.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let Some((login, place)) = rest.rsplit_once('@') else {
        return url.to_owned();
    };
    let user = login.split_once(':').map_or(login, |(user, _)| user);
    format!("{scheme}://{user}@{place}")
}

impl Target {
    /// The same database, for reading only.
    pub(super) fn read_only(&self) -> Self {
        match self {
            // Only the path is kept, because the daemon's options would change the file.
            Self::Sqlite(options) => {
                let plain = SqliteConnectOptions::new().filename(options.get_filename());
                Self::Sqlite(Box::new(plain.read_only(true)))
            }
            Self::Postgres(options) => Self::Postgres(options.clone()),
        }
    }

    /// The file of a SQLite database.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(options) => Some(options.get_filename()),
            Self::Postgres(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(url: &str) -> String {
        parse_url(url).unwrap_err().to_string()
    }

    #[test]
    fn files_and_servers_are_told_apart() {
        assert_eq!(
            parse_url("sqlite:///var/x.db").unwrap().file(),
            Some(Path::new("/var/x.db"))
        );
        assert_eq!(parse_url("sqlite:here.db").unwrap().file(), Some(Path::new("here.db")));
        assert!(matches!(parse_url("postgres://me@there/name"), Ok(Target::Postgres(_))));
        assert!(matches!(
            parse_url("postgresql:///name?host=/run/postgresql"),
            Ok(Target::Postgres(_))
        ));
    }

    #[test]
    fn what_is_no_database_is_refused_with_its_reason() {
        assert!(reason("").contains("no scheme"));
        assert!(reason("mysql://x/y").contains("mysql"));
        assert!(reason("sqlite::memory:").contains("in memory"));
        assert!(reason("sqlite://").contains("path of a file"));
        assert!(reason("sqlite:///x.db?mode=ro").contains('?'));
        assert!(reason("postgres://me:secret@host:port/name").contains("store.url"));
    }

    #[test]
    fn an_address_loses_its_brackets() {
        for (url, host) in [
            ("postgres://me@[::1]:5433/name", "::1"),
            ("postgres://me@[fe80::1%25br0]/name", "fe80::1%br0"),
            ("postgres:///name?host=[fd00::7]", "fd00::7"),
            ("postgres://me@there/name", "there"),
        ] {
            match parse_url(url) {
                Ok(Target::Postgres(options)) => assert_eq!(options.get_host(), host, "{url}"),
                // A text that is not a URL is refused, and not resolved.
                other => assert!(other.is_err() && url.contains('%'), "{url}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(
            without_password("postgres://me:se@cret@host/name"),
            "postgres://me@host/name"
        );
        assert!(!reason("postgres://me:secret@host:port/name").contains("secret"));
    }
}
