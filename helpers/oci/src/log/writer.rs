//! Writes a log, within its bounds.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use orchestrator_plugin_oci::protocol::LogBounds;

use super::{Entry, Source};

/// A piece of a line that is longer than this is an entry of its own, in bytes.
const LONGEST: usize = 16 << 10;

/// Writes the log of one container.
#[derive(Debug)]
pub(crate) struct Writer {
    directory: PathBuf,
    bounds: LogBounds,
    file: File,
    size: u64,
}

impl Writer {
    /// Goes on with the log in this directory.
    pub(crate) fn open(directory: PathBuf, bounds: LogBounds) -> io::Result<Self> {
        let file = open(&directory)?;
        let size = file.metadata()?.len();
        Ok(Self {
            directory,
            bounds,
            file,
            size,
        })
    }

    /// Records what was written at once.
    pub(crate) fn record(&mut self, at: Duration, source: Source, bytes: &[u8]) -> io::Result<()> {
        let longest = usize::try_from(self.bounds.size / 2)
            .unwrap_or(LONGEST)
            .clamp(1, LONGEST);
        let mut batch = Vec::with_capacity(bytes.len() + 64);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends_line) = match line.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (line, false),
            };
            let mut pieces = text.chunks(longest).peekable();
            if pieces.peek().is_none() {
                self.add(&mut batch, &entry(at, source, ends_line, b""))?;
            }
            while let Some(piece) = pieces.next() {
                let is_end = ends_line && pieces.peek().is_none();
                self.add(&mut batch, &entry(at, source, is_end, piece))?;
            }
        }
        self.write(&mut batch)
    }

    /// Adds an entry to what is written next; what does not fit the file goes into a new one.
    fn add(&mut self, batch: &mut Vec<u8>, entry: &Entry) -> io::Result<()> {
        let before = batch.len();
        entry.append_to(batch);
        if self.size + batch.len() as u64 <= self.bounds.size {
            return Ok(());
        }
        let last = batch.split_off(before);
        self.write(batch)?;
        if self.size > 0 {
            self.rotate()?;
        }
        batch.extend_from_slice(&last);
        Ok(())
    }

    fn write(&mut self, batch: &mut Vec<u8>) -> io::Result<()> {
        self.size += batch.len() as u64;
        self.file.write_all(batch)?;
        batch.clear();
        Ok(())
    }

    /// Begins a new file, and drops the oldest.
    fn rotate(&mut self) -> io::Result<()> {
        let path = |number: u32| self.directory.join(number.to_string());
        if self.bounds.files <= 1 {
            fs::remove_file(path(0))?;
        }
        for number in (1..self.bounds.files).rev() {
            match fs::rename(path(number - 1), path(number)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.file = open(&self.directory)?;
        self.size = 0;
        Ok(())
    }
}

fn open(directory: &std::path::Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(directory.join("0"))
}

fn entry(at: Duration, source: Source, ends_line: bool, text: &[u8]) -> Entry {
    Entry {
        at,
        source,
        ends_line,
        text: text.to_vec(),
    }
}
