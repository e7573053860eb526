//! The text format of a backup, line by line. This module uses no database.

use std::collections::BTreeMap;
use std::io::{BufRead, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::tables::{Kind, Table, table};
use super::{BackupError, Contents};
use orchestrator_model::Timestamp;

const FORMAT: &str = "orchestrator-backup";
const VERSION: u32 = 1;
/// The longest line, in bytes. A row holds at most the specification of an instance.
const LONGEST_LINE: u64 = 16 << 20;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    format: String,
    version: u32,
    program: String,
    made: Timestamp,
    schema: i64,
}

/// The line before the rows of a table.
#[derive(Debug, Serialize, Deserialize)]
struct TableHead {
    table: String,
    columns: Vec<String>,
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
struct End {
    rows: BTreeMap<String, u64>,
    sha256: String,
}

/// Writes a backup.
pub(super) struct Writer<'w> {
    to: &'w mut dyn Write,
    digest: Sha256,
    contents: Contents,
    table: &'static str,
}

impl<'w> Writer<'w> {
    pub(super) fn begin(to: &'w mut dyn Write, made: Timestamp, schema: i64) -> Result<Self, BackupError> {
        let program = env!("CARGO_PKG_VERSION").to_owned();
        let mut writer = Self {
            to,
            digest: Sha256::new(),
            contents: Contents {
                program: program.clone(),
                made,
                schema,
                rows: BTreeMap::new(),
            },
            table: "",
        };
        writer.json(&Head {
            format: FORMAT.to_owned(),
            version: VERSION,
            program,
            made,
            schema,
        })?;
        Ok(writer)
    }

    pub(super) fn table(&mut self, table: &Table) -> Result<(), BackupError> {
        self.table = table.name;
        self.contents.rows.insert(table.name.to_owned(), 0);
        self.json(&TableHead {
            table: table.name.to_owned(),
            columns: table.columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
        })
    }

    /// A row of the last table: a JSON array without line breaks.
    pub(super) fn row(&mut self, row: &str) -> Result<(), BackupError> {
        *self.contents.rows.entry(self.table.to_owned()).or_default() += 1;
        self.line(row)
    }

    pub(super) fn finish(mut self) -> Result<Contents, BackupError> {
        let sha256 = hex(self.digest.clone());
        let rows = self.contents.rows.clone();
        self.json(&End { rows, sha256 })?;
        self.to.flush().map_err(BackupError::Write)?;
        Ok(self.contents)
    }

    fn json(&mut self, line: &impl Serialize) -> Result<(), BackupError> {
        let text = serde_json::to_string(line).map_err(|error| BackupError::Write(error.into()))?;
        self.line(&text)
    }

    fn line(&mut self, text: &str) -> Result<(), BackupError> {
        for bytes in [text.as_bytes(), b"\n"] {
            self.digest.update(bytes);
            self.to.write_all(bytes).map_err(BackupError::Write)?;
        }
        Ok(())
    }
}

/// A row of a backup, checked against its table's columns.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) table: &'static str,
    pub(super) values: Vec<Value>,
}

/// Reads a backup, and refuses it at the first fault.
pub(super) struct Reader<'r> {
    from: &'r mut dyn BufRead,
    digest: Sha256,
    lines: u64,
    contents: Contents,
    /// The table of the present rows, with the columns that the backup has.
    table: Option<(&'static Table, Vec<(&'static str, Kind)>)>,
    ended: bool,
}

impl<'r> Reader<'r> {
    pub(super) fn begin(from: &'r mut dyn BufRead) -> Result<Self, BackupError> {
        let mut reader = Self {
            from,
            digest: Sha256::new(),
            lines: 0,
            contents: Contents {
                program: String::new(),
                made: Timestamp(0),
                schema: 0,
                rows: BTreeMap::new(),
            },
            table: None,
            ended: false,
        };
        let line = reader.line()?;
        let head: Head = reader.parse(&line, "is not the beginning of a backup")?;
        if head.format != FORMAT {
            return Err(reader.damaged("is not the beginning of a backup"));
        }
        if head.version > VERSION {
            return Err(BackupError::Newer { program: head.program });
        }
        reader.digest.update(&line);
        reader.contents.program = head.program;
        reader.contents.made = head.made;
        reader.contents.schema = head.schema;
        Ok(reader)
    }

    /// The contents that have been read so far.
    pub(super) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The backup's columns of the table of the present rows.
    pub(super) fn columns(&self) -> &[(&'static str, Kind)] {
        self.table.as_ref().map_or(&[], |(_, columns)| columns)
    }

    /// The next row; `None` after the last one, once the digest was verified.
    pub(super) fn next_row(&mut self) -> Result<Option<Row>, BackupError> {
        while !self.ended {
            let line = self.line()?;
            if line.starts_with(b"[") {
                let row = self.row(&line)?;
                self.digest.update(&line);
                return Ok(Some(row));
            }
            if line.starts_with(b"{\"table\"") {
                self.begin_table(&line)?;
                self.digest.update(&line);
            } else {
                self.end(&line)?;
            }
        }
        Ok(None)
    }

    /// The contents of the backup, after all of it has been read.
    pub(super) fn finish(self) -> Result<Contents, BackupError> {
        if self.ended {
            Ok(self.contents)
        } else {
            Err(BackupError::CutShort { lines: self.lines })
        }
    }

    fn row(&mut self, line: &[u8]) -> Result<Row, BackupError> {
        let values: Vec<Value> = self.parse(line, "is not a row")?;
        let Some((table, columns)) = &self.table else {
            return Err(self.damaged("is a row of no table"));
        };
        let fits = |(value, (_, kind)): (&Value, &(_, Kind))| match (value, kind) {
            (Value::Null, _) | (Value::String(_), Kind::Text) => true,
            (Value::Number(number), Kind::Integer) => number.is_i64(),
            _ => false,
        };
        if values.len() != columns.len() || !values.iter().zip(columns).all(fits) {
            let what = format!("does not fit the columns of {}", table.name);
            return Err(self.damaged(&what));
        }
        *self.contents.rows.entry(table.name.to_owned()).or_default() += 1;
        Ok(Row {
            table: table.name,
            values,
        })
    }

    fn begin_table(&mut self, line: &[u8]) -> Result<(), BackupError> {
        let head: TableHead = self.parse(line, "is not the head of a table")?;
        let Some(table) = table(&head.table) else {
            return Err(self.damaged(&format!("names table {:?}, which is not known", head.table)));
        };
        let known = |column: &String| {
            let kind = table.kind(column)?;
            let name = table.columns.iter().find(|(name, _)| name == column)?.0;
            Some((name, kind))
        };
        let columns: Option<Vec<_>> = head.columns.iter().map(known).collect();
        let Some(columns) = columns else {
            return Err(self.damaged(&format!("names a column that {} does not have", table.name)));
        };
        self.contents.rows.insert(table.name.to_owned(), 0);
        self.table = Some((table, columns));
        Ok(())
    }

    fn end(&mut self, line: &[u8]) -> Result<(), BackupError> {
        let end: End = self.parse(line, "is neither a table, a row nor the end")?;
        if end.sha256 != hex(self.digest.clone()) || end.rows != self.contents.rows {
            return Err(BackupError::Changed);
        }
        let mut rest = [0; 1];
        match self.from.read(&mut rest) {
            Ok(0) => {
                self.ended = true;
                Ok(())
            }
            Ok(_) => Err(self.damaged("is the end, and more follows")),
            Err(error) => Err(BackupError::Read(error)),
        }
    }

    /// The next line with its line break.
    fn line(&mut self) -> Result<Vec<u8>, BackupError> {
        let mut line = Vec::new();
        let read = (&mut *self.from).take(LONGEST_LINE).read_until(b'\n', &mut line);
        read.map_err(BackupError::Read)?;
        if line.last() == Some(&b'\n') {
            self.lines += 1;
            return Ok(line);
        }
        if line.len() as u64 == LONGEST_LINE {
            self.lines += 1;
            return Err(self.damaged("is longer than any line of a backup"));
        }
        Err(BackupError::CutShort { lines: self.lines })
    }

    fn parse<'a, T: Deserialize<'a>>(&self, line: &'a [u8], what: &str) -> Result<T, BackupError> {
        serde_json::from_slice(line).map_err(|_| self.damaged(what))
    }

    fn damaged(&self, what: &str) -> BackupError {
        BackupError::Damaged {
            line: self.lines,
            what: what.to_owned(),
        }
    }
}

fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Vec<u8> {
        let mut text = Vec::new();
        let mut writer = Writer::begin(&mut text, Timestamp(1_800_000_000_000), 3).unwrap();
        writer.table(table("facts").unwrap()).unwrap();
        writer.row(r#"["site","010101010101"]"#).unwrap();
        writer.row(r#"["odd","line\nbreak \u2028 \"quoted\""]"#).unwrap();
        writer.table(table("events").unwrap()).unwrap();
        writer
            .row(r#"[9007199254740993,1,"refused",null,null,null,null,null,null,null,null]"#)
            .unwrap();
        writer.finish().unwrap();
        text
    }

    fn read(mut bytes: &[u8]) -> Result<(Vec<Row>, Contents), BackupError> {
        let mut reader = Reader::begin(&mut bytes)?;
        let mut rows = Vec::new();
        while let Some(row) = reader.next_row()? {
            rows.push(row);
        }
        Ok((rows, reader.finish()?))
    }

    #[test]
    fn what_is_written_is_read() {
        let (rows, contents) = read(&written()).unwrap();
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[1].values[1], "line\nbreak \u{2028} \"quoted\"");
        assert_eq!(
            rows[2].values[0], 9_007_199_254_740_993_i64,
            "no number goes through a float"
        );
        assert_eq!(
            (
                contents.count("facts"),
                contents.count("events"),
                contents.count("leases")
            ),
            (2, 1, 0)
        );
        assert_eq!(contents.made, Timestamp(1_800_000_000_000));
    }

    #[test]
    fn no_part_of_it_is_taken_for_the_whole() {
        let whole = written();
        for length in 0..whole.len() {
            let refused = read(&whole[..length]);
            assert!(
                matches!(refused, Err(BackupError::CutShort { .. } | BackupError::Damaged { .. })),
                "{length}: {refused:?}"
            );
        }
    }

    #[test]
    fn no_byte_of_it_can_be_changed() {
        let whole = written();
        for place in 0..whole.len() {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            assert!(read(&changed).is_err(), "byte {place}");
        }
        assert!(read(&[whole.as_slice(), b"x"].concat()).is_err());
    }

    #[test]
    fn one_of_a_newer_version_names_the_program_to_use() {
        let text = String::from_utf8(written())
            .unwrap()
            .replacen("\"version\":1", "\"version\":2", 1);
        let refused = read(text.as_bytes()).unwrap_err();
        assert!(matches!(refused, BackupError::Newer { .. }), "{refused}");
    }

    #[test]
    fn what_is_no_backup_is_said_to_be_none() {
        for text in [
            "SQLite format 3\0\n",
            "{}\n",
            "[1]\n",
            "{\"format\":\"x\",\"version\":1}\n",
        ] {
            let refused = read(text.as_bytes()).unwrap_err().to_string();
            assert!(
                refused.contains("line 1 of the backup is not the beginning"),
                "{refused}"
            );
        }
    }
}
