//! Pages of lists.

use super::StoreError;

/// The largest number of rows that one call returns.
pub const MAX_LIMIT: u32 = 5000;

/// The limit of a page, and the limit of its query: one more row shows whether there is another page.
pub(super) fn limits(asked: Option<u32>) -> (u32, i64) {
    let limit = asked.unwrap_or(MAX_LIMIT).clamp(1, MAX_LIMIT);
    (limit, i64::from(limit) + 1)
}

/// A position in a list that is ordered by time and then by id.
pub(super) struct Moment {
    pub(super) at: i64,
    pub(super) id: String,
}

impl Moment {
    pub(super) fn cursor(at: i64, id: impl std::fmt::Display) -> String {
        format!("{at}-{id}")
    }

    /// Parses a cursor. Without one, this is the position before all rows.
    pub(super) fn parse(cursor: Option<&str>) -> Result<Self, StoreError> {
        let Some(cursor) = cursor else {
            return Ok(Self {
                at: i64::MIN,
                id: String::new(),
            });
        };
        let bad = || StoreError::BadCursor(cursor.to_owned());
        let (at, id) = cursor.rsplit_once('-').ok_or_else(bad)?;
        let id: orchestrator_model::Id = id.parse().map_err(|_| bad())?;
        Ok(Self {
            at: at.parse().map_err(|_| bad())?,
            id: id.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_kept() {
        assert_eq!(limits(Some(0)), (1, 2));
        assert_eq!(limits(Some(u32::MAX)), (MAX_LIMIT, i64::from(MAX_LIMIT) + 1));
    }

    #[test]
    fn cursors_are_read_back_and_others_are_refused() {
        let moment = Moment::parse(Some(&Moment::cursor(-5, "3f9a2c01d2e4"))).unwrap();
        assert_eq!((moment.at, moment.id.as_str()), (-5, "3f9a2c01d2e4"));
        for cursor in ["", "5", "x-3f9a2c01d2e4", "5-'; drop"] {
            assert!(Moment::parse(Some(cursor)).is_err(), "{cursor}");
        }
    }
}
