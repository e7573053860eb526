//! Migrates the schema, and creates the file of a SQLite database.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::connection::{Session, Tx, fetch_optional, statements};
use super::{AwayCause, StoreError};
use orchestrator_runtime::files::{self, Symlinks};

statements! {
    VERSION = "select max(version) from _sqlx_migrations where success";
}

/// The directory `migrations/` at build time. One set serves both databases.
static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// The time limit of the migrations, which may rewrite whole tables.
const MIGRATION_LIMIT: Duration = Duration::from_secs(300);

/// Checks that the schema is this program's.
///
/// # Errors
///
/// [`StoreError::Newer`], or [`StoreError::Older`].
pub(super) fn check_current(schema: i64) -> Result<(), StoreError> {
    check_not_newer(schema)?;
    if schema < newest() {
        return Err(StoreError::Older { version: schema });
    }
    Ok(())
}

/// Checks that this program knows the schema.
///
/// # Errors
///
/// [`StoreError::Newer`].
pub(super) fn check_not_newer(schema: i64) -> Result<(), StoreError> {
    if schema > newest() {
        return Err(StoreError::Newer { version: schema });
    }
    Ok(())
}

/// The version of a database's schema; 0 if no migration ever succeeded.
///
/// # Errors
///
/// When the database is unreachable, or was never migrated.
pub(super) async fn version(tx: &mut Tx<'_>) -> Result<i64, StoreError> {
    let found = fetch_optional!(tx, "read the version of the schema", (Option<i64>,), VERSION)?;
    Ok(found.and_then(|(version,)| version).unwrap_or_default())
}

/// The newest version of the schema that this program knows.
pub(super) fn newest() -> i64 {
    MIGRATIONS
        .iter()
        .map(|migration| migration.version)
        .max()
        .unwrap_or_default()
}

/// Applies the migrations that are missing in the database.
pub(super) async fn migrate(session: &mut Session) -> Result<(), StoreError> {
    let run = async {
        match session {
            Session::Sqlite(session) => as_read_by("--sqlite:").run(session).await,
            Session::Postgres(session) => as_read_by("--postgres:").run(session).await,
        }
    };
    match tokio::time::timeout(MIGRATION_LIMIT, run).await {
        Ok(done) => done.map_err(fault),
        Err(_) => Err(StoreError::slow("bring the schema up to date", MIGRATION_LIMIT)),
    }
}

/// The migrations for one database. Lines after its mark are not comments for it.
fn as_read_by(mark: &str) -> Migrator {
    let read = |written: &Migration| {
        let sql = AssertSqlSafe(written.sql.as_str().replace(mark, ""));
        let (version, description) = (written.version, written.description.clone());
        Migration::new(
            version,
            description,
            written.migration_type,
            sql.into_sql_str(),
            written.no_tx,
        )
    };
    Migrator::with_migrations(MIGRATIONS.iter().map(read).collect())
}

fn fault(error: MigrateError) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) => StoreError::Newer { version },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            StoreError::database("bring the schema up to date", error)
        }
        error => StoreError::Schema {
            source: Arc::new(error),
        },
    }
}

/// Creates the file of a SQLite database if it is missing. Only its owner and group may read it.
pub(super) fn ensure_file(path: &Path) -> Result<(), StoreError> {
    let fault = |path: &Path, source: io::Error| StoreError::Away {
        doing: "make the database's file",
        source: AwayCause::File {
            path: path.to_owned(),
            source: Arc::new(source),
        },
    };
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        let made = DirBuilder::new().recursive(true).mode(0o750).create(parent);
        made.map_err(|error| fault(parent, error))?;
    }
    // SQLite gives its journal files the mode of this file.
    match OpenOptions::new().write(true).create_new(true).mode(0o640).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_file(path),
        Err(error) => Err(fault(path, error)),
        Ok(_) => Ok(()),
    }
}

/// Checks that a SQLite database can be at this path. On a FIFO, for example, SQLite would wait for a writer.
///
/// # Errors
///
/// [`StoreError::Away`] when it is not a regular file.
pub(super) fn check_file(path: &Path) -> Result<(), StoreError> {
    files::check(path, Symlinks::Follow).map_err(|source| StoreError::Away {
        doing: "open the database's file",
        source: AwayCause::File {
            path: path.to_owned(),
            source: Arc::new(source),
        },
    })
}
