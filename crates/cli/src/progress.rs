//! One line of a terminal that says how far something is. Nothing is shown in a pipe.

use std::io::{self, IsTerminal, Read, Write};
use std::time::{Duration, Instant};

use orchestrator_verbs::printable::printable;
use orchestrator_verbs::progress::copied;
use rustix::termios::tcgetwinsize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The time between two changes of the line.
const PERIOD: Duration = Duration::from_millis(100);

/// The columns of a terminal that does not say how many it has.
const COLUMNS: u16 = 80;

/// One line on standard error.
#[derive(Debug)]
pub(super) struct Line {
    shows: bool,
    last: Option<Instant>,
    /// The columns that the text takes which is shown now.
    width: usize,
}

impl Line {
    /// A line, when standard error is a terminal.
    pub(super) fn new() -> Self {
        Self {
            shows: io::stderr().is_terminal(),
            last: None,
            width: 0,
        }
    }

    /// Whether somebody sees it.
    pub(super) fn shows(&self) -> bool {
        self.shows
    }

    /// Shows a text in place of the one before.
    pub(super) fn show(&mut self, text: &str) {
        if !self.shows || self.last.is_some_and(|last| last.elapsed() < PERIOD) {
            return;
        }
        self.last = Some(Instant::now());
        // A line that wraps could not be taken away again.
        let text = fitting(&printable(text), columns().saturating_sub(1));
        let width = text.width();
        let blanks = " ".repeat(self.width.saturating_sub(width));
        self.width = width;
        write(&format!("\r{text}{blanks}"));
    }

    /// Takes the text away, before something else is printed.
    pub(super) fn clear(&mut self) {
        let width = std::mem::take(&mut self.width);
        if width > 0 {
            self.last = None;
            write(&format!("\r{}\r", " ".repeat(width)));
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Bytes on their way to or from a file. The line says how many there were so far.
#[derive(Debug)]
pub(super) struct Counted<T> {
    inner: T,
    doing: &'static str,
    bytes: u64,
    began: Instant,
    line: Line,
}

impl<T> Counted<T> {
    pub(super) fn new(doing: &'static str, inner: T) -> Self {
        Self {
            inner,
            doing,
            bytes: 0,
            began: Instant::now(),
            line: Line::new(),
        }
    }

    fn count(&mut self, bytes: usize) -> usize {
        self.bytes += bytes as u64;
        if self.line.shows() {
            self.line.show(&copied(self.doing, self.bytes, self.began.elapsed()));
        }
        bytes
    }
}

impl<T: Write> Write for Counted<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        Ok(self.count(written))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<T: Read> Read for Counted<T> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(room)?;
        Ok(self.count(read))
    }
}

/// When standard error is closed, nobody looks.
fn write(text: &str) {
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

fn columns() -> usize {
    let columns = tcgetwinsize(io::stderr()).map_or(COLUMNS, |size| size.ws_col);
    usize::from(if columns == 0 { COLUMNS } else { columns })
}

/// The beginning of a text that fits into so many columns.
fn fitting(text: &str, columns: usize) -> String {
    let mut left = columns;
    let fits = |letter: &char| match left.checked_sub(letter.width().unwrap_or(0)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    text.chars().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_passed_on() {
        let mut written = Counted::new("backup", Vec::new());
        written.write_all(b"abcdef").unwrap();
        let mut read = Counted::new("restore", written.inner.as_slice());
        let mut back = Vec::new();
        read.read_to_end(&mut back).unwrap();
        assert_eq!((back.as_slice(), written.bytes, read.bytes), (&b"abcdef"[..], 6, 6));
    }

    #[test]
    fn a_line_is_cut_to_the_terminal() {
        assert_eq!(fitting("abcdef", 4), "abcd");
        assert_eq!(fitting("日本", 3), "日");
        assert_eq!(fitting("ab", 80), "ab");
    }
}
