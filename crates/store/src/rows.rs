//! Statements over many rows at once. They cost a database little more than a statement over one row.
//!
//! Every text is `with given (…) as (…)`, followed by what is done with the given rows. PostgreSQL gets one array for
//! each column. SQLite has no arrays: it gets a `values` list of one of a few fixed sizes, so that each text is
//! prepared once. Spare rows of the list are nulls, and a statement must skip these.
//!
//! SQLite looks up a numbered parameter in a list of all of them, which takes longer than the statement itself when
//! there are thousands. So its texts have parameters without numbers. SQLite also copies every page before it changes
//! it, so that a statement that fails half-way can be undone. We drop a session whose statement failed, with its
//! transaction. So statements here say "or fail", which is left out for PostgreSQL.

use std::sync::OnceLock;

use super::connection::Tx;

/// The numbers of rows of a SQLite statement. With a dozen columns, the largest stays within SQLite's limit of
/// parameters.
const SIZES: [usize; 13] = [1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, MOST];

/// The largest number of rows of one statement.
pub(super) const MOST: usize = 512;

/// The clause that only SQLite gets.
const OR_FAIL: &str = " or fail";

/// The type of a column.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    Number,
}
pub(super) use Kind::{Number, Text};

/// A statement over a variable number of rows.
pub(super) struct ManyRows {
    columns: &'static [(&'static str, Kind)],
    statement: &'static str,
    numbered: OnceLock<String>,
    plain: OnceLock<Vec<String>>,
}

impl ManyRows {
    /// A statement over rows of these columns, which it refers to as `given`.
    pub(super) const fn new(columns: &'static [(&'static str, Kind)], statement: &'static str) -> Self {
        Self {
            columns,
            statement,
            numbered: OnceLock::new(),
            plain: OnceLock::new(),
        }
    }

    /// The text for PostgreSQL, with one array parameter for each column.
    pub(super) fn numbered(&'static self) -> &'static str {
        self.numbered.get_or_init(|| {
            let place = |(index, (_, kind)): (usize, &(&str, Kind))| match kind {
                Text => format!("${}::text[]", index + 1),
                Number => format!("${}::bigint[]", index + 1),
            };
            let places: Vec<String> = self.columns.iter().enumerate().map(place).collect();
            let given = format!("select * from unnest({})", places.join(", "));
            self.text(&given).replacen(OR_FAIL, "", 1)
        })
    }

    /// The text for SQLite for so many rows, at most [`MOST`], and the number of its spare rows.
    pub(super) fn plain(&'static self, rows: usize) -> (&'static str, usize) {
        let index = SIZES.partition_point(|size| *size < rows).min(SIZES.len() - 1);
        let spare = SIZES[index].saturating_sub(rows) * self.columns.len();
        (&self.plain_texts()[index], spare)
    }

    /// All texts for a database.
    pub(super) fn texts(&'static self, tx: &Tx<'_>) -> Vec<&'static str> {
        match tx {
            Tx::Sqlite(_) => self.plain_texts().iter().map(String::as_str).collect(),
            Tx::Postgres(_) => vec![self.numbered()],
        }
    }

    fn plain_texts(&'static self) -> &'static [String] {
        self.plain.get_or_init(|| {
            let row = format!("({})", vec!["?"; self.columns.len()].join(", "));
            let text = |size| self.text(&format!("values {}", vec![row.as_str(); size].join(", ")));
            SIZES.map(text).into()
        })
    }

    fn text(&self, given: &str) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        format!("with given ({}) as ({given}) {}", names.join(", "), self.statement)
    }
}

/// Adds a [`ManyRows`] over at most [`MOST`] rows to a script; `$bind`s are the columns of `$row`.
macro_rules! add_rows {
    ($script:expr, $statement:expr, $rows:expr, $row:pat => [$($bind:expr),+ $(,)?]) => {
        if !$rows.is_empty() {
            let (sql, spare) = $statement.plain($rows.len());
            $script.add(sql, $rows.len());
            for $row in $rows {
                $($script.bind($bind);)+
            }
            (0..spare).for_each(|_| $script.bind(None::<i64>));
        }
    };
}
pub(super) use add_rows;

/// Runs a [`ManyRows`] over all rows in a batch, now or together with later statements; `$bind`s are the columns of
/// `$row`.
macro_rules! execute_rows {
    ($batch:expr, $doing:literal, $statement:expr, $rows:expr, $row:pat => [$($bind:expr),+ $(,)?]) => {
        async {
            if $rows.is_empty() {
                return Ok(());
            }
            for chunk in $rows.chunks($crate::rows::MOST) {
                $batch.make_room(chunk.len()).await?;
                match &mut $batch.tx {
                    $crate::connection::Tx::Sqlite(_) => {
                        $crate::rows::add_rows!($batch.script, $statement, chunk, $row => [$($bind),+]);
                    }
                    $crate::connection::Tx::Postgres(connection) => {
                        let query = sqlx::query($statement.numbered());
                        let query = query$(.bind(chunk.iter().map(|$row| $bind).collect::<Vec<_>>()))+;
                        $crate::connection::within($doing, query.execute(&mut **connection)).await?;
                    }
                }
            }
            Ok::<(), $crate::StoreError>(())
        }.await
    };
}
pub(super) use execute_rows;

/// Runs a [`ManyRows`] query over all keys in a batch. Returns all found rows as `$found`.
macro_rules! fetch_rows {
    ($batch:expr, $doing:literal, $found:ty, $statement:expr, $keys:expr, $key:pat => [$($bind:expr),+ $(,)?]) => {
        async {
            let mut found: Vec<$found> = Vec::new();
            for chunk in $keys.chunks($crate::rows::MOST) {
                $batch.make_room(chunk.len()).await?;
                let mut more = match &mut $batch.tx {
                    $crate::connection::Tx::Sqlite(connection) => {
                        let mut script = std::mem::take(&mut $batch.script);
                        $crate::rows::add_rows!(script, $statement, chunk, $key => [$($bind),+]);
                        script.fetch_all::<$found>($doing, connection).await?
                    }
                    $crate::connection::Tx::Postgres(connection) => {
                        let query = sqlx::query_as::<_, $found>($statement.numbered());
                        let query = query$(.bind(chunk.iter().map(|$key| $bind).collect::<Vec<_>>()))+;
                        $crate::connection::within($doing, query.fetch_all(&mut **connection)).await?
                    }
                };
                found.append(&mut more);
            }
            Ok::<Vec<$found>, $crate::StoreError>(found)
        }.await
    };
}
pub(super) use fetch_rows;

#[cfg(test)]
mod tests {
    use super::*;

    static PAIRS: ManyRows = ManyRows::new(
        &[("name", Text), ("size", Number)],
        "insert or fail into pairs select * from given where name is not null",
    );

    #[test]
    fn postgresql_takes_an_array_for_each_column() {
        assert_eq!(
            PAIRS.numbered(),
            "with given (name, size) as (select * from unnest($1::text[], $2::bigint[])) \
             insert into pairs select * from given where name is not null"
        );
    }

    #[test]
    fn sqlite_takes_at_least_as_many_rows_as_there_are() {
        assert_eq!(
            PAIRS.plain(2),
            (
                "with given (name, size) as (values (?, ?), (?, ?)) \
                 insert or fail into pairs select * from given where name is not null",
                0
            )
        );
        for rows in 1..=MOST {
            let (text, spare) = PAIRS.plain(rows);
            assert_eq!(text.matches('?').count(), rows * 2 + spare, "{rows}");
            assert!(spare <= rows * 2, "{rows}");
        }
    }
}
