//! The session of a verb: its API, its output and its time.

use std::io;

use clap::ValueEnum;
use orchestrator_model::Timestamp;
use serde::Serialize;

use crate::api::Api;
use crate::failure::Failure;
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
}

impl Output {
    /// The width of tables.
    pub fn width(self) -> table::Width {
        match self {
            Self::Table | Self::Json => table::Width::Narrow,
            Self::Wide => table::Width::Wide,
        }
    }
}

/// The place where a verb prints.
pub trait Sink: Send {
    /// Prints one or more lines. They have no character that affects a terminal.
    ///
    /// # Errors
    ///
    /// When the reader is gone, or printing fails.
    fn print(&mut self, lines: &str) -> io::Result<()>;

    /// Reports a failure while the verb continues.
    fn warn(&mut self, line: &str);
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
}

impl Session<'_> {
    /// Prints one or more lines.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.sink.print(&printable_lines(text)).map_err(Failure::Print)
    }

    /// Prints a value as JSON.
    pub(crate) fn print_json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let json = table::json(value)?;
        self.print(&json)
    }

    /// Reports why one of several things failed, and continues.
    pub(crate) fn warn(&mut self, failure: &dyn std::error::Error) {
        let text = orchestrator_runtime::causes::with_causes(failure);
        self.sink.warn(&printable(&text));
    }
}
