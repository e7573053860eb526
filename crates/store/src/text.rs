//! Converts between the model's types and the text in columns.

use std::fmt::Display;
use std::str::FromStr;

use super::StoreError;

/// Removes zero bytes, which PostgreSQL refuses in text.
pub(super) fn plain(text: String) -> String {
    if text.contains('\0') {
        text.replace('\0', "")
    } else {
        text
    }
}

/// Parses the columns of one kind of row.
#[derive(Clone, Copy)]
pub(super) struct Columns(pub(super) &'static str);

impl Columns {
    /// The error of a column that cannot be parsed.
    pub(super) fn bad(self, column: &'static str, value: impl Display) -> StoreError {
        StoreError::Row {
            noun: self.0,
            column,
            value: value.to_string(),
        }
    }

    /// Parses a column of text.
    pub(super) fn parse<T: FromStr>(self, column: &'static str, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|_| self.bad(column, text))
    }

    /// Parses a column of text that may be null.
    pub(super) fn parse_some<T: FromStr>(
        self,
        column: &'static str,
        text: Option<&str>,
    ) -> Result<Option<T>, StoreError> {
        text.map(|text| self.parse(column, text)).transpose()
    }

    /// Converts a column of numbers that are not negative.
    pub(super) fn count(self, column: &'static str, number: i64) -> Result<u64, StoreError> {
        u64::try_from(number).map_err(|_| self.bad(column, number))
    }

    /// Converts a column of numbers that fit into 32 bits.
    pub(super) fn number(self, column: &'static str, number: i64) -> Result<u32, StoreError> {
        u32::try_from(number).map_err(|_| self.bad(column, number))
    }
}
