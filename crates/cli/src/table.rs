//! Tables and text on standard output.

use std::io::{self, Write};

use orchestrator_verbs::Sink;
use orchestrator_verbs::printable::printable_lines;
pub(super) use orchestrator_verbs::table::table;
use serde::Serialize;

use super::failure::Failure;

/// Standard output and standard error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terminal;

impl Sink for Terminal {
    fn print(&mut self, lines: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{lines}").and_then(|()| out.flush())
    }

    fn warn(&mut self, line: &str) {
        eprintln!("orchestrator: {line}");
    }
}

/// JSON with indentation, for people.
pub(super) fn json(value: &impl Serialize) -> Result<String, Failure> {
    Ok(orchestrator_verbs::table::json(value)?)
}

/// Prints one or more lines. Characters that would act on a terminal are replaced.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    Terminal.print(&printable_lines(text)).map_err(Failure::Print)
}
