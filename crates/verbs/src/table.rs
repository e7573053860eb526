//! Tables and other text for people.

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use serde_json::Value;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::failure::Failure;
use super::printable::{escape_json, printable, printable_lines};
use super::session::Output;

/// The default width limit of a cell, in columns of the terminal.
const CELL: usize = 40;

/// The width of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Cells are cut to the limit of their column.
    Narrow,
    /// The table is as wide as its content.
    Wide,
}

/// A column of a table whose cells may be cut.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    name: &'static str,
    /// The width limit of a cell, in columns of the terminal.
    most: usize,
}

impl Column {
    /// A column of this name.
    pub const fn new(name: &'static str) -> Self {
        Self { name, most: CELL }
    }

    /// A column for DUIDs. It shows all usual kinds whole; the longest of them is a UUID (RFC 6355).
    pub const fn duid(name: &'static str) -> Self {
        Self::new(name).at_most(53)
    }

    /// Sets the width limit of the column, in columns of the terminal.
    pub const fn at_most(self, most: usize) -> Self {
        Self { most, ..self }
    }
}

/// Formats columns under a header, without borders. `-` stands for a missing value; a cut cell ends with an ellipsis.
pub fn columns(columns: &[Column], rows: impl IntoIterator<Item = Vec<String>>, width: Width) -> String {
    let header: Vec<&str> = columns.iter().map(|column| column.name).collect();
    let fit = |row: Vec<String>| {
        let cells = columns.iter().zip(row);
        cells
            .map(|(column, cell)| match width {
                Width::Narrow => cut(&printable(&cell), column.most),
                Width::Wide => cell,
            })
            .collect()
    };
    table(&header, rows.into_iter().map(fit))
}

/// Cuts the text to a number of columns of the terminal.
fn cut(text: &str, most: usize) -> String {
    if text.width() <= most {
        return text.to_owned();
    }
    let mut taken = 0;
    let fits = |c: &char| {
        taken += c.width().unwrap_or(0);
        taken < most
    };
    let mut cut: String = text.chars().take_while(fits).collect();
    cut.push('…');
    cut
}

/// Formats columns under a header, without borders, as wide as needed. `-` stands for a missing value.
pub fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
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

/// Formats names with their values, one on each line. Names without a value are left out.
pub fn record(fields: &[(&str, Option<String>)]) -> String {
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

/// JSON with indentation, for people.
///
/// # Errors
///
/// When the value cannot be written as JSON.
pub fn json(value: &impl Serialize) -> Result<String, Failure> {
    let json = serde_json::to_string_pretty(value).map_err(|source| Failure::Answer {
        what: "a value",
        source,
    })?;
    Ok(escape_json(&json))
}

/// A value for programs, in this format.
///
/// # Errors
///
/// When the value cannot be written.
pub fn data(output: Output, value: &impl Serialize) -> Result<String, Failure> {
    match output {
        Output::Yaml => yaml(value),
        Output::Name => names(value),
        Output::Json | Output::Table | Output::Wide => json(value),
    }
}

fn yaml(value: &impl Serialize) -> Result<String, Failure> {
    let failed = |reason: String| Failure::Format { what: "YAML", reason };
    // From JSON, so that both formats say the same.
    let value = serde_json::to_value(value).map_err(|error| failed(error.to_string()))?;
    let text = serde_saphyr::to_string(&value).map_err(|error| failed(error.to_string()))?;
    Ok(printable_lines(text.trim_end()))
}

/// The keys by which things are known, the best first.
const KEYS: [&str; 6] = ["id", "name", "address", "host", "fingerprint", "path"];

/// The names of things, one on each line.
fn names(value: &impl Serialize) -> Result<String, Failure> {
    let value = serde_json::to_value(value).map_err(|source| Failure::Answer {
        what: "a value",
        source,
    })?;
    let name = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        other => KEYS.iter().find_map(|key| other.get(key)?.as_str().map(str::to_owned)),
    };
    let names: Vec<String> = match &value {
        Value::Array(items) => items.iter().filter_map(name).collect(),
        one => name(one).into_iter().collect(),
    };
    Ok(names.iter().map(|name| printable(name)).collect::<Vec<_>>().join("\n"))
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
    fn cells_are_cut_by_columns_of_the_terminal() {
        for (text, shown) in [
            ("", ""),
            ("12345", "12345"),
            ("123456", "1234…"),
            // Each of these is two columns wide.
            ("日本日本", "日本…"),
            // This has no width.
            (
                "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}",
                "e\u{301}e\u{301}e\u{301}e\u{301}e\u{301}",
            ),
            ("e\u{301}23456", "e\u{301}234…"),
        ] {
            assert_eq!(cut(text, 5), shown);
            assert!(cut(text, 5).width() <= 5);
        }
        let rows = || [vec!["a\u{202e}bcdef".to_owned(), "x".to_owned()]];
        let of = [Column::new("ONE").at_most(4), Column::new("TWO")];
        assert_eq!(columns(&of, rows(), Width::Narrow), "ONE   TWO\na\u{fffd}b…  x");
        assert_eq!(columns(&of, rows(), Width::Wide), "ONE      TWO\na\u{fffd}bcdef  x");
    }

    #[test]
    fn the_same_value_as_json_as_yaml_and_as_names() {
        let value = serde_json::json!([{"id": "a1", "phase": "ready"}, {"name": "web\u{1b}", "n": 7}, "x"]);
        assert!(data(Output::Json, &value).unwrap().contains("\"phase\": \"ready\""));
        assert_eq!(data(Output::Name, &value).unwrap(), "a1\nweb\u{fffd}\nx");
        let yaml = data(Output::Yaml, &value).unwrap();
        assert!(yaml.contains("phase: ready") && yaml.contains(": 7"), "{yaml}");
        assert!(!yaml.contains('\u{1b}'), "{yaml}");
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
