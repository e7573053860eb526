//! Writes a backup into a database.

use std::collections::HashMap;
use std::io::BufRead;
use std::time::Duration;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Executor};

use super::export::holdings;
use super::format::{Reader, Row};
use super::tables::{Kind, LEADERS, OF_ONE_DATABASE, OF_SECRETS, TABLES};
use super::{BackupError, Contents, Restore, SecretsInBackup};
use crate::connection::{BEGIN, Session, SqliteTx, Tx, on};
use crate::identity::Identity;
use crate::url::Target;
use crate::{SEAL, StoreError, migrate};

const WAIT_FOR_READER: &str = "set local idle_in_transaction_session_timeout = 0";
/// Raises the epoch, so that no running daemon keeps the lead.
const DEPOSE: &str = "update leaders set epoch = epoch + 1, holder = 'a restored backup'";
/// Forgets which images the engines had. Those of this machine may have others under the same names; the versions of
/// templates are pinned anew.
const FORGET_IMAGES: [&str; 2] = ["delete from template_images", "delete from images"];
/// The number of rows that one statement writes.
const CHUNK: usize = 500;
/// The time limit of one statement. One that empties a table may delete a million rows.
const STATEMENT_LIMIT: Duration = Duration::from_secs(600);
const DOING: &str = "restore a backup";

/// The result of an import.
pub(super) struct Imported {
    pub(super) contents: Contents,
    pub(super) identity: Identity,
}

/// Writes the whole backup into the database, or nothing. `kept` is the identity in the machine's file.
pub(super) async fn import(
    target: &Target,
    from: &mut dyn BufRead,
    how: Restore<'_>,
    kept: Option<&Identity>,
) -> Result<Imported, BackupError> {
    let reader = Reader::begin(from)?;
    migrate::check_not_newer(reader.contents().schema).map_err(|_| BackupError::Newer {
        program: reader.contents().program.clone(),
    })?;
    if let Some(file) = target.file() {
        migrate::ensure_file(file)?;
    }
    let mut session = Session::connect(target).await?;
    migrate::migrate(&mut session).await?;
    let mut tx = session.transaction(None).await?;
    if let Tx::Sqlite(SqliteTx::Writer(connection)) = &mut tx {
        run(connection.execute(BEGIN)).await?;
    }
    if matches!(tx, Tx::Postgres(_)) {
        // A backup may arrive slowly, through a pipe.
        execute(&mut tx, WAIT_FOR_READER.to_owned(), None).await?;
    }
    empty(&mut tx, how.replace).await?;
    // A transaction that is dropped before its commit changes nothing.
    let imported = fill(&mut tx, reader, how.secrets).await?;
    // Running instances may be newer than the backup. Until they are recorded again, only their mark identifies them.
    execute(&mut tx, "update containers set reference = null".to_owned(), None).await?;
    // A daemon of another machine that has the database open cannot write any more.
    execute(&mut tx, DEPOSE.to_owned(), None).await?;
    for forget in FORGET_IMAGES {
        execute(&mut tx, forget.to_owned(), None).await?;
    }
    check_identity(&imported.identity, kept, how.replace)?;
    commit(tx).await?;
    session.close().await;
    Ok(imported)
}

/// Empties the database. One with clients or leases is emptied only if the caller asked for that.
async fn empty(tx: &mut Tx<'_>, replace: bool) -> Result<(), BackupError> {
    let (clients, leases) = holdings(tx).await?;
    if !replace && clients + leases > 0 {
        return Err(BackupError::NotEmpty { clients, leases });
    }
    for table in TABLES.iter().rev().filter(|table| table.name != LEADERS) {
        execute(tx, format!("delete from {}", table.name), None).await?;
    }
    Ok(())
}

async fn fill(tx: &mut Tx<'_>, mut reader: Reader<'_>, secrets: SecretsInBackup<'_>) -> Result<Imported, BackupError> {
    let mut facts = HashMap::new();
    let mut chunk: Vec<Row> = Vec::new();
    let mut insert = String::new();
    loop {
        let row = reader.next_row()?;
        let another_table = row.as_ref().map(|row| row.table) != chunk.first().map(|row| row.table);
        if !chunk.is_empty() && (another_table || chunk.len() >= CHUNK) {
            let put = put(tx, &insert, &chunk).await;
            put.map_err(|fault| older_or(fault, reader.contents()))?;
            chunk.clear();
        }
        let Some(row) = row else { break };
        if chunk.is_empty() {
            insert = insert_into(row.table, reader.columns(), matches!(tx, Tx::Sqlite(_)));
        }
        if !is_taken(&row, secrets)? {
            continue;
        }
        if row.table == "facts" {
            if OF_ONE_DATABASE.contains(&text(&row, 0)) {
                continue;
            }
            facts.insert(text(&row, 0).to_owned(), text(&row, 1).to_owned());
        }
        chunk.push(row);
    }
    Ok(Imported {
        contents: reader.finish()?,
        identity: Identity::of(&facts)?,
    })
}

/// Whether a row is restored. A secret is restored only if it can be opened.
fn is_taken(row: &Row, secrets: SecretsInBackup<'_>) -> Result<bool, BackupError> {
    match secrets {
        SecretsInBackup::LeftOut => Ok(!OF_SECRETS.contains(&row.table)),
        SecretsInBackup::Checked(opens) if row.table == "secrets" => {
            match opens(text(row, 0), text(row, 1)) {
                // A witness without secrets is useless. If there are secrets, the next of them is refused.
                Err(_) if text(row, 0) == SEAL => Ok(false),
                opened => opened.map(|()| true).map_err(BackupError::Sealed),
            }
        }
        SecretsInBackup::Checked(_) => Ok(true),
    }
}

/// The text in a column.
fn text(row: &Row, place: usize) -> &str {
    row.values.get(place).and_then(Value::as_str).unwrap_or_default()
}

/// If this version's tables refuse a row of a backup with an older schema, returns that as the error.
fn older_or(fault: StoreError, contents: &Contents) -> BackupError {
    if matches!(fault, StoreError::Failed { .. }) && migrate::check_current(contents.schema).is_err() {
        return BackupError::Older {
            program: contents.program.clone(),
            schema: contents.schema,
            source: fault,
        };
    }
    fault.into()
}

fn check_identity(restored: &Identity, kept: Option<&Identity>, replace: bool) -> Result<(), BackupError> {
    match kept {
        Some(kept) if kept != restored && !replace => Err(BackupError::OtherServer {
            kept: kept.server_duid.clone(),
            backed_up: restored.server_duid.clone(),
        }),
        _ => Ok(()),
    }
}

/// The statement that inserts rows of a table from one JSON text: an array of arrays.
fn insert_into(table: &str, columns: &[(&str, Kind)], sqlite: bool) -> String {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let value = |(place, (_, kind)): (usize, &(&str, Kind))| match (sqlite, kind) {
        (true, _) => format!("json_extract(value, '$[{place}]')"),
        (false, Kind::Text) => format!("value->>{place}"),
        (false, Kind::Integer) => format!("(value->>{place})::bigint"),
    };
    let values: Vec<String> = columns.iter().enumerate().map(value).collect();
    let rows = if sqlite {
        "json_each($1)"
    } else {
        "json_array_elements($1::json)"
    };
    format!(
        "insert into {table} ({}) select {} from {rows}",
        names.join(", "),
        values.join(", ")
    )
}

async fn put(tx: &mut Tx<'_>, insert: &str, rows: &[Row]) -> Result<(), StoreError> {
    let values = rows.iter().map(|row| Value::from(row.values.clone()));
    let text = Value::Array(values.collect()).to_string();
    execute(tx, insert.to_owned(), Some(&text)).await
}

/// Runs a statement that consists only of names in this program's own tables. Values from outside are bound.
async fn execute(tx: &mut Tx<'_>, sql: String, bind: Option<&str>) -> Result<(), StoreError> {
    macro_rules! query {
        ($connection:expr) => {{
            let query = sqlx::query(AssertSqlSafe(sql));
            let query = match bind {
                Some(text) => query.bind(text),
                None => query,
            };
            run(query.execute($connection)).await
        }};
    }
    on!(tx, connection => query!(connection))
}

async fn commit(tx: Tx<'_>) -> Result<(), StoreError> {
    match tx {
        Tx::Sqlite(SqliteTx::Reader(inner)) => run(inner.commit()).await,
        Tx::Sqlite(SqliteTx::Glance(_)) => Ok(()),
        Tx::Sqlite(SqliteTx::Writer(connection)) => run(connection.execute("commit")).await,
        Tx::Postgres(inner) => run(inner.commit()).await,
    }
}

async fn run<T>(statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<(), StoreError> {
    match tokio::time::timeout(STATEMENT_LIMIT, statement).await {
        Ok(done) => done.map(drop).map_err(|error| StoreError::database(DOING, error)),
        Err(_) => Err(StoreError::slow(DOING, STATEMENT_LIMIT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_database_takes_rows_as_one_text() {
        let columns = [("id", Kind::Text), ("created", Kind::Integer)];
        assert_eq!(
            insert_into("reservations", &columns, true),
            "insert into reservations (id, created) select json_extract(value, '$[0]'), json_extract(value, '$[1]') \
             from json_each($1)"
        );
        assert_eq!(
            insert_into("reservations", &columns, false),
            "insert into reservations (id, created) select value->>0, (value->>1)::bigint \
             from json_array_elements($1::json)"
        );
    }
}
