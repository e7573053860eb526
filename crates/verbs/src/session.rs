//! The session of a verb: its API, its output and its time.

use std::io;
use std::time::Duration;

use async_trait::async_trait;
use clap::ValueEnum;
use orchestrator_model::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::api::Api;
use crate::failure::Failure;
use crate::local::Local;
use crate::printable::{printable, printable_lines};
use crate::table;

/// The format of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    Table,
    /// For people, with whole cells
    Wide,
    /// For programs: the answers of the API
    Json,
    /// The same as YAML
    Yaml,
    /// Only the names or ids, one on each line
    Name,
}

impl Output {
    /// The width of tables.
    pub fn width(self) -> table::Width {
        match self {
            Self::Wide => table::Width::Wide,
            Self::Table | Self::Json | Self::Yaml | Self::Name => table::Width::Narrow,
        }
    }

    /// Whether results are for programs.
    pub fn is_data(self) -> bool {
        matches!(self, Self::Json | Self::Yaml | Self::Name)
    }
}

/// The place where a verb prints.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Prints one or more lines. They have no character that affects a terminal.
    ///
    /// # Errors
    ///
    /// When the reader is gone, or printing fails.
    fn print(&mut self, lines: &str) -> io::Result<()>;

    /// Reports a failure while the verb continues.
    fn warn(&mut self, line: &str);

    /// Whether somebody sees how far something is.
    fn shows_progress(&self) -> bool {
        false
    }

    /// Shows how far something is, in place of what was shown before; an empty text takes that away. Only somebody at a
    /// terminal sees it.
    fn progress(&mut self, _text: &str) {}

    /// Whether [`Channel::Bytes`] may be written. A terminal shows no archives.
    fn takes_bytes(&self) -> bool {
        true
    }

    /// Waits until the reader has taken enough of what was written that there is room for more. A verb that writes without
    /// an end calls it between its pieces.
    async fn ready(&mut self) {}

    /// Writes what a command wrote, as it is. A place that shows it to people makes it harmless.
    ///
    /// # Errors
    ///
    /// When the reader is gone, or writing fails.
    fn write(&mut self, to: Channel, bytes: &[u8]) -> io::Result<()> {
        let text = String::from_utf8_lossy(bytes);
        let lines = printable_lines(text.trim_end_matches('\n'));
        match to {
            Channel::Output | Channel::Terminal | Channel::Bytes => self.print(&lines),
            Channel::Error => {
                self.warn(&lines);
                Ok(())
            }
        }
    }
}

/// Where a command wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Its standard output.
    Output,
    /// Its standard error.
    Error,
    /// The terminal that somebody gave it. Nothing of it is changed.
    Terminal,
    /// Its standard output, which is no text but an archive.
    Bytes,
}

/// One run of a verb: its API, its output and its time.
pub struct Session<'a> {
    /// The API.
    pub api: &'a dyn Api,
    /// The output.
    pub sink: &'a mut dyn Sink,
    /// The format of the output.
    pub output: Output,
    /// The time of the run, from which ages are counted.
    pub now: Timestamp,
    /// What is at hand where the line was typed.
    pub local: &'a dyn Local,
    /// How long the verb may take; `None` for as long as it takes, or as its own default says.
    pub limit: Option<Duration>,
}

impl Session<'_> {
    /// Prints one or more lines.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.sink.print(&printable_lines(text)).map_err(Failure::Print)
    }

    /// Prints a value for programs, in the format of the session.
    pub(crate) fn print_json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = table::data(self.output, value)?;
        match text.is_empty() {
            true => Ok(()),
            false => self.print(&text),
        }
    }

    /// Prints a value: as it is for programs, and for people the text that is made of it, by the time and the width.
    pub(crate) fn print_value(
        &mut self,
        value: &impl Serialize,
        text: impl FnOnce(Timestamp, table::Width) -> Result<String, Failure>,
    ) -> Result<(), Failure> {
        match self.output.is_data() {
            true => self.print_json(value),
            false => self.print(&text(self.now, self.output.width())?),
        }
    }

    /// Prints values for programs: one as it is, several as a list. Nothing for people, who were told of each.
    pub(crate) fn print_items(&mut self, items: &[Value]) -> Result<(), Failure> {
        match items {
            _ if !self.output.is_data() => Ok(()),
            [] => Ok(()),
            [one] => self.print_json(one),
            several => self.print_json(&several),
        }
    }

    /// Reports why one of several instances failed, and continues.
    pub(crate) fn warn_about(&mut self, name: &str, failure: &dyn std::error::Error) {
        let text = orchestrator_runtime::causes::with_causes(failure);
        self.sink.warn(&printable(&format!("{name}: {text}")));
    }

    /// Reports something that is no failure.
    pub(crate) fn warn_of(&mut self, text: &str) {
        self.sink.warn(&printable(text));
    }

    /// Reports why one of several things failed, and continues.
    pub(crate) fn warn(&mut self, failure: &dyn std::error::Error) {
        let text = orchestrator_runtime::causes::with_causes(failure);
        self.sink.warn(&printable(&text));
    }
}
