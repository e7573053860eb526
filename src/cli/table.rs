//! Tables and text on standard output.

use std::io::{self, Write};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::failure::Failure;

/// Columns under a header, without borders, as wide as they need to be; `-` for what is not there.
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().copied());
    for row in rows {
        table.add_row(row.into_iter().map(|cell| {
            if cell.is_empty() {
                "-".to_owned()
            } else {
                printable(&cell)
            }
        }));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Names with their values, one a line; those without a value are left out.
pub(super) fn record(fields: &[(&str, Option<String>)]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled);
    for (name, value) in fields {
        if let Some(value) = value {
            table.add_row([(*name).to_owned(), printable(value)]);
        }
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// JSON for people: indented.
pub(super) fn json(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|source| Failure::Answer {
        what: "a value",
        source,
    })
}

/// Prints a line.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .map_err(Failure::Print)
}

/// What clients say of themselves must not steer the terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_control_characters_are_not_printed() {
        let rows = [
            vec!["a".to_owned(), "long value".to_owned(), "x".to_owned()],
            vec!["\u{1b}[31mb".to_owned(), String::new(), "y".to_owned()],
        ];
        assert_eq!(
            table(&["ONE", "TWO", "THREE"], rows),
            "ONE     TWO         THREE\na       long value  x\n\u{fffd}[31mb  -           y"
        );
    }

    #[test]
    fn a_record_leaves_out_what_is_not_there() {
        let fields = [
            ("phase", Some("ready".to_owned())),
            ("reason", None),
            ("id", Some("1".to_owned())),
        ];
        assert_eq!(record(&fields), "phase  ready\nid     1");
    }
}
