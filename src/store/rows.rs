//! Statements over many rows at once, which a database takes at little more than the price of one.
//!
//! Rows are handed over in portions of a few fixed sizes, so that each text is made and prepared once. SQLite looks a
//! place with a number up in a list of all of them, which takes longer than the statement itself when there are
//! thousands: its texts have places without numbers, and are the same otherwise.

use std::sync::OnceLock;

/// Rows in one statement, from the most to one. A portion of the largest size with a dozen columns stays within what
/// either database takes as parameters of one statement.
const SIZES: [usize; 10] = [512, 256, 128, 64, 32, 16, 8, 4, 2, 1];

/// A statement with a `values` list of any number of rows in it.
pub(super) struct ManyRows {
    before: &'static str,
    columns: usize,
    after: &'static str,
    numbered: OnceLock<Vec<String>>,
    plain: OnceLock<Vec<String>>,
}

/// How the places for a statement's values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Places {
    /// "$1", as PostgreSQL wants them.
    Numbered,
    /// "?", which only SQLite takes.
    Plain,
}

impl ManyRows {
    /// A statement that is `before`, then `values` with rows of so many columns, then `after`.
    pub(super) const fn new(before: &'static str, columns: usize, after: &'static str) -> Self {
        Self {
            before,
            columns,
            after,
            numbered: OnceLock::new(),
            plain: OnceLock::new(),
        }
    }

    /// The rows in portions, each with the statement that takes so many.
    pub(super) fn portions<'r, T>(
        &'static self,
        places: Places,
        rows: &'r [T],
    ) -> impl Iterator<Item = (&'static str, &'r [T])> {
        let texts = self.texts(places);
        let mut rest = rows;
        std::iter::from_fn(move || {
            let index = SIZES.iter().position(|size| *size <= rest.len())?;
            let (portion, left) = rest.split_at(SIZES[index]);
            rest = left;
            Some((texts[index].as_str(), portion))
        })
    }

    /// The statement for each size of portion.
    pub(super) fn texts(&'static self, places: Places) -> &'static [String] {
        let texts = match places {
            Places::Numbered => &self.numbered,
            Places::Plain => &self.plain,
        };
        texts.get_or_init(|| SIZES.map(|rows| self.text(places, rows)).into())
    }

    fn text(&self, places: Places, rows: usize) -> String {
        let place = |place: usize| match places {
            Places::Numbered => format!("${place}"),
            Places::Plain => "?".to_owned(),
        };
        let row = |row: usize| {
            let first = row * self.columns + 1;
            let places: Vec<String> = (first..first + self.columns).map(place).collect();
            format!("({})", places.join(", "))
        };
        let rows: Vec<String> = (0..rows).map(row).collect();
        format!("{} values {} {}", self.before, rows.join(", "), self.after)
    }
}

/// Runs a [`ManyRows`] over all rows, in a batch; `$bind`s are the columns of `$row`. What is small is put off.
macro_rules! execute_rows {
    ($batch:expr, $doing:literal, $statement:expr, $rows:expr, $row:pat => [$($bind:expr),+ $(,)?]) => {{
        let (mut done, places) = (Ok(()), $batch.tx.places());
        for (sql, portion) in $statement.portions(places, $rows) {
            if $batch.puts_off(portion.len()) {
                $batch.script.add(sql);
                for $row in portion {
                    $($batch.script.bind($bind);)+
                }
                continue;
            }
            done = $batch.settle().await;
            if done.is_err() {
                break;
            }
            done = $crate::store::connection::on!(&mut $batch.tx, connection => $crate::store::connection::within($doing, async {
                let mut query = sqlx::query(sql);
                for $row in portion {
                    query = query$(.bind($bind))+;
                }
                query.execute(connection).await.map(drop)
            }).await);
            if done.is_err() {
                break;
            }
        }
        done
    }};
}
pub(super) use execute_rows;

/// Runs a [`ManyRows`] that finds, over all keys, in a batch; gives all rows that it found as `$found`.
macro_rules! fetch_rows {
    ($batch:expr, $doing:literal, $found:ty, $statement:expr, $keys:expr, $key:pat => [$($bind:expr),+ $(,)?]) => {{
        let mut found: Result<Vec<$found>, $crate::store::StoreError> = Ok(Vec::new());
        let places = $batch.tx.places();
        for (sql, portion) in $statement.portions(places, $keys) {
            let answer = match $batch.begins_with(portion.len()) {
                // The transaction begins with it.
                Some((mut script, connection)) => {
                    script.add(sql);
                    for $key in portion {
                        $(script.bind($bind);)+
                    }
                    script.fetch_all::<$found>($doing, connection).await
                }
                None => match $batch.settle().await {
                    Err(fault) => Err(fault),
                    Ok(()) => $crate::store::connection::on!(&mut $batch.tx, connection => $crate::store::connection::within($doing, async {
                        let mut query = sqlx::query_as::<_, $found>(sql);
                        for $key in portion {
                            query = query$(.bind($bind))+;
                        }
                        query.fetch_all(connection).await
                    }).await),
                },
            };
            found = found.and_then(|mut found| {
                found.append(&mut answer?);
                Ok(found)
            });
            if found.is_err() {
                break;
            }
        }
        found
    }};
}
pub(super) use fetch_rows;

#[cfg(test)]
mod tests {
    use super::*;

    static PAIRS: ManyRows = ManyRows::new("insert into pairs", 2, "on conflict do nothing");

    #[test]
    fn a_text_has_a_place_for_each_column_of_each_row() {
        let texts = PAIRS.texts(Places::Numbered);
        assert_eq!(texts.len(), SIZES.len());
        assert_eq!(texts[9], "insert into pairs values ($1, $2) on conflict do nothing");
        assert_eq!(
            texts[8],
            "insert into pairs values ($1, $2), ($3, $4) on conflict do nothing"
        );
        let plain = PAIRS.texts(Places::Plain);
        assert_eq!(
            plain[8],
            "insert into pairs values (?, ?), (?, ?) on conflict do nothing"
        );
        assert!(texts[0].contains("($1023, $1024)") && !texts[0].contains("$1025"));
    }

    #[test]
    fn portions_are_all_rows_in_order() {
        for rows in [0, 1, 3, 100, 511, 512, 1300] {
            let rows: Vec<usize> = (0..rows).collect();
            let portions: Vec<_> = PAIRS.portions(Places::Plain, &rows).collect();
            assert!(portions.iter().all(|(_, portion)| SIZES.contains(&portion.len())));
            let again: Vec<usize> = portions
                .iter()
                .flat_map(|(_, portion)| portion.iter().copied())
                .collect();
            assert_eq!(again, rows);
        }
    }
}
