//! One line of a log.

use std::io::Write;
use std::time::Duration;

/// Where a container wrote something to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

/// What a container wrote at once, at most a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The time since 1970.
    pub(crate) at: Duration,
    /// Where it was written to.
    pub(crate) source: Source,
    /// Whether a line ended with it.
    pub(crate) ends_line: bool,
    /// The bytes, without the end of the line.
    pub(crate) text: Vec<u8>,
}

impl Entry {
    /// Appends the entry as it is in the file.
    pub(crate) fn append_to(&self, file: &mut Vec<u8>) {
        let source = match self.source {
            Source::Stdout => 'o',
            Source::Stderr => 'e',
        };
        let end = if self.ends_line { 'F' } else { 'P' };
        // Nothing that is written to memory fails.
        let _ = write!(
            file,
            "{}.{:09} {source} {end} ",
            self.at.as_secs(),
            self.at.subsec_nanos()
        );
        file.extend_from_slice(&self.text);
        file.push(b'\n');
    }

    /// Reads a line of the file; `None` when it is none, as after a machine that lost its power.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        let mut fields = line.splitn(4, |byte| *byte == b' ');
        let time = str::from_utf8(fields.next()?).ok()?;
        let (seconds, nanos) = time.split_once('.')?;
        let source = match fields.next()? {
            b"o" => Source::Stdout,
            b"e" => Source::Stderr,
            _ => return None,
        };
        let ends_line = match fields.next()? {
            b"F" => true,
            b"P" => false,
            _ => return None,
        };
        Some(Self {
            at: Duration::new(
                seconds.parse().ok()?,
                nanos.parse().ok().filter(|nanos| *nanos < 1_000_000_000)?,
            ),
            source,
            ends_line,
            text: fields.next()?.to_vec(),
        })
    }

    /// The bytes as they were written.
    pub(crate) fn bytes(mut self) -> Vec<u8> {
        if self.ends_line {
            self.text.push(b'\n');
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_back_and_nonsense_does_not() {
        for (text, ends_line) in [(&b""[..], true), (b"two  words \xff\x00", false), (b" o F ", true)] {
            let entry = Entry {
                at: Duration::new(1_732_790_000, 5),
                source: Source::Stderr,
                ends_line,
                text: text.to_vec(),
            };
            let mut file = Vec::new();
            entry.append_to(&mut file);
            assert_eq!(Entry::parse(file.strip_suffix(b"\n").unwrap()), Some(entry));
        }
        for line in [
            "",
            "1 o F x",
            "1.0 x F x",
            "1.0 o X x",
            "1.0 o F",
            "1.1000000000 o F x",
            "\0\0\0",
        ] {
            assert_eq!(Entry::parse(line.as_bytes()), None, "{line:?}");
        }
    }
}
