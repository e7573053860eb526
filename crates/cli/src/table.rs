//! Tables and text on standard output.

use std::io::{self, IsTerminal, Write};

use async_trait::async_trait;
use orchestrator_verbs::printable::printable_lines;
pub(super) use orchestrator_verbs::table::table;
use orchestrator_verbs::{Channel, Output, Sink};
use serde::Serialize;

use super::failure::Failure;
use super::progress::Line;

/// Standard output and standard error, with a line that says how far something is.
#[derive(Debug)]
pub(super) struct Terminal {
    line: Line,
}

impl Terminal {
    pub(super) fn new() -> Self {
        Self { line: Line::new() }
    }
}

#[async_trait]
impl Sink for Terminal {
    fn print(&mut self, lines: &str) -> io::Result<()> {
        self.line.clear();
        let mut out = io::stdout().lock();
        writeln!(out, "{lines}").and_then(|()| out.flush())
    }

    fn shows_progress(&self) -> bool {
        self.line.shows()
    }

    fn progress(&mut self, text: &str) {
        match text.is_empty() {
            true => self.line.clear(),
            false => self.line.show(text),
        }
    }

    fn warn(&mut self, line: &str) {
        self.line.clear();
        eprintln!("orchestrator: {line}");
    }

    fn takes_bytes(&self) -> bool {
        !io::stdout().is_terminal()
    }

    fn write(&mut self, to: Channel, bytes: &[u8]) -> io::Result<()> {
        // An archive goes elsewhere than the line, which says how much of it is written.
        if to != Channel::Bytes {
            self.line.clear();
        }
        match to {
            Channel::Error => put(io::stderr().lock(), bytes, io::stderr().is_terminal()),
            Channel::Output => put(io::stdout().lock(), bytes, io::stdout().is_terminal()),
            // A command that was given the terminal may do with it what it wants.
            Channel::Terminal | Channel::Bytes => put(io::stdout().lock(), bytes, false),
        }
    }
}

/// Writes bytes: to a program as they are, to a terminal without what acts on it.
fn put(mut out: impl Write, bytes: &[u8], is_terminal: bool) -> io::Result<()> {
    match is_terminal {
        true => {
            let text = String::from_utf8_lossy(bytes)
                .replace("\r\n", "\n")
                .replace('\t', "    ");
            out.write_all(printable_lines(&text).as_bytes())?;
        }
        false => out.write_all(bytes)?,
    }
    out.flush()
}

/// A value for programs, in a format.
pub(super) fn data(output: Output, value: &impl Serialize) -> Result<String, Failure> {
    Ok(orchestrator_verbs::table::data(output, value)?)
}

/// Prints one or more lines. Characters that would act on a terminal are replaced.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    Terminal::new().print(&printable_lines(text)).map_err(Failure::Print)
}
