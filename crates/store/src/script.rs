//! Statements that are sent to SQLite together. A SQLite connection has a thread of its own, and a trip to it and back
//! takes longer than most statements.

use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Encode, FromRow, Sqlite, SqliteConnection, Type};

use super::StoreError;
use super::connection::within;

/// The largest number of rows of a statement that is combined with others. With more rows, the trip does not matter.
///
/// The texts of scripts are kept prepared. Few sizes of few statements keep their number small: new instances need
/// about 60, and a connection keeps 256.
pub(super) const SMALL: usize = 4;

/// Statements with their values, in order.
#[derive(Default)]
pub(super) struct Script {
    text: String,
    largest: usize,
    arguments: SqliteArguments,
    fault: Option<sqlx::Error>,
}

impl Script {
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The number of rows of the largest statement; 0 if there is only the begin of the transaction.
    pub(super) fn largest(&self) -> usize {
        self.largest
    }

    /// Appends a statement over so many rows. Its parameters have no numbers, and are bound by later calls of `bind`.
    pub(super) fn add(&mut self, sql: &str, rows: usize) {
        self.largest = self.largest.max(rows);
        if !self.text.is_empty() {
            self.text.push(';');
        }
        self.text.push_str(sql);
    }

    /// Binds the next parameter.
    pub(super) fn bind<'v, T: Encode<'v, Sqlite> + Type<Sqlite>>(&mut self, value: T) {
        if let Err(fault) = self.arguments.add(value) {
            self.fault.get_or_insert(sqlx::Error::Encode(fault));
        }
    }

    /// Runs and removes the statements.
    pub(super) async fn run(&mut self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let Self {
            text, arguments, fault, ..
        } = std::mem::take(self);
        within("write", async {
            if let Some(fault) = fault {
                return Err(fault);
            }
            let script = sqlx::query_with(AssertSqlSafe(text), arguments);
            script.execute(connection).await.map(drop)
        })
        .await
    }

    /// Runs the statements, and returns the rows of the last one.
    pub(super) async fn fetch_all<T>(
        self,
        doing: &'static str,
        connection: &mut SqliteConnection,
    ) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        let Self {
            text, arguments, fault, ..
        } = self;
        within(doing, async {
            if let Some(fault) = fault {
                return Err(fault);
            }
            let script = sqlx::query_as_with(AssertSqlSafe(text), arguments);
            script.fetch_all(connection).await
        })
        .await
    }
}
