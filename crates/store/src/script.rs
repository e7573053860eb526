//! Statements that wait to be sent to SQLite together: its connection has a thread of its own, and a trip to it and back
//! takes longer than most statements.

use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Encode, FromRow, Sqlite, SqliteConnection, Type};

use super::StoreError;
use super::connection::within;

/// Rows that statements may have to be sent together; with more of them the trip no longer matters.
///
/// The texts of scripts are kept prepared. Few sizes of few statements make few texts.
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

    /// Rows that the largest of its statements is over; none where there is only the transaction's begin.
    pub(super) fn largest(&self) -> usize {
        self.largest
    }

    /// Puts a statement over so many rows behind the others. Its places are plain, and bound by what follows.
    pub(super) fn add(&mut self, sql: &str, rows: usize) {
        self.largest = self.largest.max(rows);
        if !self.text.is_empty() {
            self.text.push(';');
        }
        self.text.push_str(sql);
    }

    /// Gives the next place its value.
    pub(super) fn bind<'v, T: Encode<'v, Sqlite> + Type<Sqlite>>(&mut self, value: T) {
        if let Err(fault) = self.arguments.add(value) {
            self.fault.get_or_insert(sqlx::Error::Encode(fault));
        }
    }

    /// Runs the statements; nothing is left.
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

    /// Runs the statements, and gives the rows that the last of them finds.
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
