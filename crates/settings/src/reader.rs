//! Reads the keys of the tree one after another into types, and collects all faults.
//!
//! A reader continues after a fault, so that one run reports all of them. A faulty key with a default gets that
//! default; the settings as a whole are refused at the end.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use config::{Map, Value, ValueKind};
use serde_json::Value as Json;

use super::fault::{Collector, Fault, nearest, one_of};
use orchestrator_model::{parse_lifespan, show_lifespan};

/// The largest number of elements of a list or table.
const LONGEST: usize = 1024;

/// A table whose keys are being read. A key that was read is taken out of it.
pub struct Table<'a> {
    path: String,
    entries: BTreeMap<String, Value>,
    /// Every key of the table, with the variable that it came from.
    given: BTreeMap<String, Option<String>>,
    known: Vec<&'static str>,
    faults: &'a Collector,
}

/// A value, with its path.
pub struct Entry<'a> {
    path: String,
    value: Value,
    faults: &'a Collector,
}

impl<'a> Table<'a> {
    /// The top table.
    pub fn root(root: Value, faults: &'a Collector) -> Self {
        let top = Entry {
            path: String::new(),
            value: root,
            faults,
        };
        top.table().unwrap_or_else(|| Self::empty("", faults))
    }

    /// A table of JSON at this path. `None`, with a fault, if it is something else.
    pub fn of_json(path: &str, keys: &Json, faults: &'a Collector) -> Option<Self> {
        Entry::at(path.to_owned(), value_of(keys), faults).table()
    }

    fn empty(path: &str, faults: &'a Collector) -> Self {
        Self {
            path: path.to_owned(),
            entries: BTreeMap::new(),
            given: BTreeMap::new(),
            known: Vec::new(),
            faults,
        }
    }

    /// The path of a key of this table.
    pub fn key(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The path of this table.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Reports a fault of a key of this table, whether or not the key is present or was taken.
    pub fn fault(&self, key: &str, what: impl Into<String>, remedy: impl Into<String>) {
        let variable = self.given.get(key).cloned().flatten();
        self.faults.add(Fault {
            key: self.key(key),
            variable,
            what: what.into(),
            remedy: remedy.into(),
        });
    }

    /// The collector of faults.
    pub fn faults(&self) -> &'a Collector {
        self.faults
    }

    /// Takes an optional key.
    pub fn take(&mut self, key: &'static str) -> Option<Entry<'a>> {
        self.known.push(key);
        let value = self.entries.remove(key)?;
        Some(Entry {
            path: self.key(key),
            value,
            faults: self.faults,
        })
    }

    /// Whether the table had this key, taken or not.
    pub fn has(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    /// Takes a required key.
    pub fn need(&mut self, key: &'static str, remedy: &str) -> Option<Entry<'a>> {
        let entry = self.take(key);
        if entry.is_none() {
            self.fault(key, "is missing", remedy);
        }
        entry
    }

    /// Gives a key this text where the table does not have it.
    pub(crate) fn default(&mut self, key: &'static str, text: &str) {
        let value = || Value::new(None, text.to_owned());
        self.entries.entry(key.to_owned()).or_insert_with(value);
    }

    /// Takes a table. A missing one counts as empty.
    pub fn section(&mut self, key: &'static str) -> Self {
        let path = self.key(key);
        let faults = self.faults;
        self.take(key)
            .and_then(Entry::table)
            .unwrap_or_else(|| Self::empty(&path, faults))
    }

    /// Takes all keys of a table whose names the user chooses.
    pub fn drain(&mut self) -> Vec<(String, Entry<'a>)> {
        let entries = std::mem::take(&mut self.entries);
        let entry = |(name, value): (String, Value)| {
            let path = self.key(&name);
            (
                name,
                Entry {
                    path,
                    value,
                    faults: self.faults,
                },
            )
        };
        entries.into_iter().map(entry).collect()
    }

    /// Reports the keys that were not taken: they are unknown.
    pub fn finish(mut self) {
        let known = std::mem::take(&mut self.known);
        for (name, entry) in self.drain() {
            let remedy = match nearest(&name, known.iter().copied()) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => format!("remove it, or use {}", one_of(known.iter().copied())),
            };
            entry.fault("is not a key that is known here", remedy);
        }
    }
}

impl<'a> Entry<'a> {
    /// A value at this path.
    pub fn at(path: String, value: Value, faults: &'a Collector) -> Self {
        Self { path, value, faults }
    }

    /// Reports a fault of this value.
    pub fn fault(&self, what: impl Into<String>, remedy: impl Into<String>) {
        let variable = self.value.origin().map(str::to_owned);
        self.faults.add(Fault {
            key: self.path.clone(),
            variable,
            what: what.into(),
            remedy: remedy.into(),
        });
    }

    fn mistyped<T>(&self, expected: &str) -> Option<T> {
        let found = match &self.value.kind {
            ValueKind::Nil => "nothing",
            ValueKind::Boolean(_) => "true or false",
            ValueKind::Float(_) => "a number with a point",
            ValueKind::String(_) => "text",
            ValueKind::Table(_) => "a table",
            ValueKind::Array(_) => "a list",
            _ => "a whole number",
        };
        self.fault(format!("is {found}, not {expected}"), format!("write {expected}"));
        None
    }

    /// The text, if the value is from the environment, where every value is text.
    fn variable_text(&self) -> Option<&str> {
        match (&self.value.kind, self.value.origin()) {
            (ValueKind::String(text), Some(_)) => Some(text.trim()),
            _ => None,
        }
    }

    /// Whether the value is this word.
    pub fn is_word(&self, word: &str) -> bool {
        matches!(&self.value.kind, ValueKind::String(text) if text == word)
    }

    /// Whether the value is a table.
    pub fn is_table(&self) -> bool {
        matches!(self.value.kind, ValueKind::Table(_))
    }

    /// Whether the value is text.
    pub fn is_text(&self) -> bool {
        matches!(self.value.kind, ValueKind::String(_))
    }

    /// Whether the value is a list without elements.
    pub fn is_empty_list(&self) -> bool {
        matches!(&self.value.kind, ValueKind::Array(elements) if elements.is_empty())
    }

    /// Whether the value is a list; from the environment: whether it has commas.
    pub fn is_list(&self) -> bool {
        matches!(self.value.kind, ValueKind::Array(_)) || self.variable_text().is_some_and(|text| text.contains(','))
    }

    /// Reads text.
    pub fn text(self) -> Option<String> {
        match self.value.kind {
            ValueKind::String(text) => Some(text),
            _ => self.mistyped("text in quotes"),
        }
    }

    /// Reads text that `parse` converts. Its error describes the fault.
    pub fn parse<T, E: Display>(self, remedy: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let ValueKind::String(text) = &self.value.kind else {
            return self.mistyped("text in quotes");
        };
        match parse(text) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.fault(error.to_string(), remedy);
                None
            }
        }
    }

    /// Reads text that refers to something. If it refers to nothing, `find` returns the fault and its remedy.
    pub fn look_up<T>(
        self,
        find: impl FnOnce(&str) -> Option<T>,
        unknown: impl FnOnce(&str) -> (String, String),
    ) -> Option<T> {
        let ValueKind::String(text) = &self.value.kind else {
            return self.mistyped("text in quotes");
        };
        let found = find(text);
        if found.is_none() {
            let (what, remedy) = unknown(text);
            self.fault(what, remedy);
        }
        found
    }

    /// Reads one of a few words.
    pub fn choice<T: Copy>(self, choices: &[(&str, T)]) -> Option<T> {
        let ValueKind::String(text) = &self.value.kind else {
            return self.mistyped("text in quotes");
        };
        let chosen = choices.iter().find(|(word, _)| word == text).map(|(_, choice)| *choice);
        if chosen.is_none() {
            let words = || choices.iter().map(|(word, _)| *word);
            let remedy = match nearest(text, words()) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => format!("write {}", one_of(words())),
            };
            self.fault(format!("{text:?} is not known here"), remedy);
        }
        chosen
    }

    /// Reads `true` or `false`.
    pub fn flag(self) -> Option<bool> {
        match (&self.value.kind, self.variable_text()) {
            (ValueKind::Boolean(flag), _) => Some(*flag),
            (_, Some("true")) => Some(true),
            (_, Some("false")) => Some(false),
            _ => self.mistyped("true or false without quotes"),
        }
    }

    /// Reads a whole number within bounds.
    pub fn whole<T: TryFrom<i64>>(self, bounds: RangeInclusive<i64>) -> Option<T> {
        let number = match (&self.value.kind, self.variable_text().map(str::parse::<i64>)) {
            (ValueKind::I64(number), _) => *number,
            (_, Some(Ok(number))) => number,
            _ => return self.mistyped("a whole number without quotes"),
        };
        let fitting = if bounds.contains(&number) {
            T::try_from(number).ok()
        } else {
            None
        };
        if fitting.is_none() {
            self.fault(
                format!("{number} is out of bounds"),
                format!("take {} to {}", bounds.start(), bounds.end()),
            );
        }
        fitting
    }

    /// Reads a number within bounds, with or without a decimal point.
    pub fn number(self, bounds: RangeInclusive<f64>) -> Option<f64> {
        let number = match (&self.value.kind, self.variable_text().map(str::parse::<f64>)) {
            // Precision is lost far beyond any bounds that are given here.
            #[expect(clippy::cast_precision_loss)]
            (ValueKind::I64(number), _) => *number as f64,
            (ValueKind::Float(number), _) => *number,
            (_, Some(Ok(number))) => number,
            _ => return self.mistyped("a number without quotes"),
        };
        if bounds.contains(&number) {
            return Some(number);
        }
        self.fault(
            format!("{number} is out of bounds"),
            format!("take {} to {}", bounds.start(), bounds.end()),
        );
        None
    }

    /// Reads a duration within bounds.
    pub fn lifespan(&self, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        let ValueKind::String(text) = &self.value.kind else {
            return self.mistyped("a span of time in quotes, like \"30s\" or \"1h30m\"");
        };
        let (least, most) = (show_lifespan(*bounds.start()), show_lifespan(*bounds.end()));
        match parse_lifespan(text) {
            Ok(span) if bounds.contains(&span) => return Some(span),
            Ok(span) if span < *bounds.start() => {
                self.fault(format!("{text} is too short"), format!("take at least {least}"))
            }
            Ok(_) => self.fault(format!("{text} is too long"), format!("take at most {most}")),
            Err(error) => self.fault(error.to_string(), format!("take {least} to {most}")),
        }
        None
    }

    /// Reads a list of at most `most` elements; from the environment, commas separate them.
    pub fn list(self, most: usize) -> Option<Vec<Entry<'a>>> {
        let (path, faults, origin) = (self.path.clone(), self.faults, self.value.origin().map(str::to_owned));
        let elements: Vec<Value> = match (&self.value.kind, self.variable_text()) {
            (ValueKind::Array(elements), _) => elements.clone(),
            (_, Some("")) => Vec::new(),
            (_, Some(text)) => text
                .split(',')
                .map(|part| Value::new(origin.as_ref(), part.trim()))
                .collect(),
            _ => return self.mistyped("a list in brackets"),
        };
        if elements.len() > most {
            self.fault(
                format!("has {} elements", elements.len()),
                format!("give at most {most}"),
            );
            return None;
        }
        let entry = |(index, value)| Entry {
            path: format!("{path}[{index}]"),
            value,
            faults,
        };
        Some(elements.into_iter().enumerate().map(entry).collect())
    }

    /// Reads a list of at most `most` elements with `read`. `None` if any of them has a fault.
    pub fn list_of<T>(self, most: usize, read: impl Fn(Entry<'a>) -> Option<T>) -> Option<Vec<T>> {
        let read: Vec<Option<T>> = self.list(most)?.into_iter().map(read).collect();
        read.into_iter().collect()
    }

    /// Reads an absolute path of a file on the daemon's machine.
    pub(crate) fn absolute_path(self) -> Option<PathBuf> {
        self.parse("write an absolute path", |text| {
            let path = PathBuf::from(text);
            match path.is_absolute() && !text.contains('\0') {
                true => Ok(path),
                false => Err(format!("{text:?} is not an absolute path")),
            }
        })
    }

    /// Reads a table.
    pub fn table(self) -> Option<Table<'a>> {
        match self.value.kind {
            ValueKind::Table(entries) if entries.len() <= LONGEST => Some(Table {
                path: self.path,
                given: entries
                    .iter()
                    .map(|(key, value)| (key.clone(), value.origin().map(str::to_owned)))
                    .collect(),
                entries: entries.into_iter().collect(),
                known: Vec::new(),
                faults: self.faults,
            }),
            ValueKind::Table(ref entries) => {
                self.fault(format!("has {} keys", entries.len()), format!("give at most {LONGEST}"));
                None
            }
            _ => self.mistyped("a table"),
        }
    }
}

/// JSON as a tree of values.
fn value_of(json: &Json) -> Value {
    let kind = match json {
        Json::Null => ValueKind::Nil,
        Json::Bool(flag) => ValueKind::Boolean(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => ValueKind::I64(whole),
            None => ValueKind::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => ValueKind::String(text.clone()),
        Json::Array(list) => ValueKind::Array(list.iter().map(value_of).collect()),
        Json::Object(table) => {
            let entries = table.iter().map(|(key, value)| (key.clone(), value_of(value)));
            ValueKind::Table(entries.collect::<Map<_, _>>())
        }
    };
    Value::new(None, kind)
}
