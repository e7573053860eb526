//! The session of a verb: its API, its output and its time.

use std::io;

use clap::ValueEnum;
use orchestrator_model::Timestamp;
use serde::Serialize;

use crate::api::Api;
use crate::failure::Failure;
use crate::printable::{printable, printable_lines};
use crate::table;

/// How results are printed.
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
    /// How wide tables may be.
    pub fn width(self) -> table::Width {
        match self {
            Self::Table | Self::Json => table::Width::Narrow,
            Self::Wide => table::Width::Wide,
        }
    }
}

/// Where a verb prints.
pub trait Sink: Send {
    /// Prints one line or several. They hold no character that acts on a terminal.
    ///
    /// # Errors
    ///
    /// When nobody reads any more, or it cannot be printed.
    fn print(&mut self, lines: &str) -> io::Result<()>;

    /// Says what went wrong while the verb goes on.
    fn warn(&mut self, line: &str);
}

/// One run of a verb: whom it asks, and where and how it prints.
pub struct Session<'a> {
    /// The API.
    pub api: &'a dyn Api,
    /// Where it prints.
    pub sink: &'a mut dyn Sink,
    /// How.
    pub output: Output,
    /// When it runs: ages are counted from it.
    pub now: Timestamp,
}

impl Session<'_> {
    /// Prints one line or several.
    pub(crate) fn print(&mut self, text: &str) -> Result<(), Failure> {
        self.sink.print(&printable_lines(text)).map_err(Failure::Print)
    }

    /// Prints a value as JSON.
    pub(crate) fn print_json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let json = table::json(value)?;
        self.print(&json)
    }

    /// Says why one of several things failed, and goes on.
    pub(crate) fn warn(&mut self, failure: &dyn std::error::Error) {
        let text = orchestrator_runtime::causes::with_causes(failure);
        self.sink.warn(&printable(&text));
    }
}
