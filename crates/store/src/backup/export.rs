//! Writes a database as a backup.

use std::io::Write;
use std::time::Duration;

use serde_json::Value;
use sqlx::AssertSqlSafe;

use super::format::Writer;
use super::tables::{LEADERS, OF_ONE_DATABASE, TABLES, Table};
use super::{BackupError, Contents};
use crate::StoreError;
use crate::connection::{Pool, Tx, fetch_optional, on, statements};
use crate::migrate;
use crate::url::Target;
use orchestrator_model::Timestamp;

statements! {
    CLIENTS = "select count(*) from clients";
    LEASES = "select count(*) from leases";
}

/// The number of rows that one statement reads.
const CHUNK: usize = 1_000;
/// The time limit of one chunk, for a disk that is busy.
const CHUNK_LIMIT: Duration = Duration::from_secs(60);
const DOING: &str = "read for a backup";

/// Writes all contents of the database, as of one moment.
pub(super) async fn export(target: &Target, made: Timestamp, to: &mut dyn Write) -> Result<Contents, BackupError> {
    let pool = Pool::new(target);
    let exported = export_from(&pool, made, to).await;
    pool.close().await;
    exported
}

async fn export_from(pool: &Pool, made: Timestamp, to: &mut dyn Write) -> Result<Contents, BackupError> {
    let mut tx = pool.snapshot().await?;
    let schema = migrate::version(&mut tx).await?;
    migrate::check_current(schema)?;
    let mut writer = Writer::begin(to, made, schema)?;
    for table in TABLES {
        writer.table(table)?;
        export_table(&mut tx, table, &mut writer).await?;
    }
    writer.finish()
}

async fn export_table(tx: &mut Tx<'_>, table: &Table, writer: &mut Writer<'_>) -> Result<(), BackupError> {
    let places = table.key_places();
    let mut after: Option<Vec<Value>> = None;
    loop {
        let rows = chunk(tx, table, after.as_deref()).await?;
        let whole = rows.len() == CHUNK;
        for (row,) in rows {
            let row: Vec<Value> = serde_json::from_str(&row).map_err(|error| BackupError::Read(error.into()))?;
            after = Some(places.iter().filter_map(|place| row.get(*place).cloned()).collect());
            if !is_of_one_database(table, &row) {
                // The JSON is formatted again, because the two databases put spaces in different places.
                writer.row(&Value::Array(row).to_string())?;
            }
        }
        if !whole {
            return Ok(());
        }
    }
}

/// Whether a row belongs to this database only. A restored database makes its own.
fn is_of_one_database(table: &Table, row: &[Value]) -> bool {
    let key = row.first().and_then(Value::as_str);
    table.name == LEADERS || table.name == "facts" && key.is_some_and(|key| OF_ONE_DATABASE.contains(&key))
}

/// The next rows in the order of the table's key, each as a JSON array.
async fn chunk(tx: &mut Tx<'_>, table: &Table, after: Option<&[Value]>) -> Result<Vec<(String,)>, StoreError> {
    // The text consists only of names in this program's own tables. Values from outside are bound.
    let sql = AssertSqlSafe(select(table, after.is_some(), matches!(tx, Tx::Sqlite(_))));
    let keys = after.unwrap_or_default();
    macro_rules! run {
        ($connection:expr) => {{
            let mut query = sqlx::query_as::<_, (String,)>(sql);
            for key in keys {
                query = match key {
                    Value::Number(number) => query.bind(number.as_i64()),
                    key => query.bind(key.as_str()),
                };
            }
            tokio::time::timeout(CHUNK_LIMIT, query.fetch_all($connection)).await
        }};
    }
    let answer = on!(tx, connection => run!(connection));
    match answer {
        Ok(rows) => rows.map_err(|error| StoreError::database(DOING, error)),
        Err(_) => Err(StoreError::slow(DOING, CHUNK_LIMIT)),
    }
}

fn select(table: &Table, goes_on: bool, sqlite: bool) -> String {
    let columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let (columns, key) = (columns.join(", "), table.key.join(", "));
    let row = if sqlite {
        format!("json_array({columns})")
    } else {
        format!("json_build_array({columns})::text")
    };
    let places: Vec<String> = (1..=table.key.len()).map(|place| format!("${place}")).collect();
    let condition = if goes_on {
        format!(" where ({key}) > ({})", places.join(", "))
    } else {
        String::new()
    };
    format!(
        "select {row} from {}{condition} order by {key} limit {CHUNK}",
        table.name
    )
}

/// The numbers of clients and leases in the database.
pub(super) async fn holdings(tx: &mut Tx<'_>) -> Result<(i64, i64), StoreError> {
    let clients = fetch_optional!(&mut *tx, "read for a backup", (i64,), CLIENTS)?;
    let leases = fetch_optional!(&mut *tx, "read for a backup", (i64,), LEASES)?;
    Ok((clients.map_or(0, |(count,)| count), leases.map_or(0, |(count,)| count)))
}

#[cfg(test)]
mod tests {
    use super::super::tables::table;
    use super::*;

    #[test]
    fn a_chunk_goes_on_behind_the_last_key() {
        let reservations = table("leases").unwrap();
        let sql = select(reservations, true, true);
        assert!(
            sql.contains("where (link, address) > ($1, $2) order by link, address limit 1000"),
            "{sql}"
        );
        assert!(!select(reservations, false, false).contains("where"));
    }

    #[test]
    fn facts_of_one_database_are_left_out() {
        let facts = table("facts").unwrap();
        let row = |key: &str| [Value::from(key), Value::from("0123")];
        assert!(is_of_one_database(facts, &row("birth")));
        assert!(!is_of_one_database(facts, &row("site")));
        assert!(!is_of_one_database(table("clients").unwrap(), &row("birth")));
    }
}
