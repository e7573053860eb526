//! Prints what several instances write, each line behind the name of its instance.

use std::collections::BTreeMap;

use super::failure::Failure;
use super::printable::printable;
use super::session::{Channel, Session};

/// The longest line that is waited for, in bytes. A longer one is printed in pieces.
const LONGEST: usize = 16 << 10;

/// The names of instances, and the lines that they have begun.
#[derive(Debug)]
pub(crate) struct Prefixes {
    names: Vec<String>,
    begun: BTreeMap<(usize, bool), Vec<u8>>,
}

impl Prefixes {
    /// Prefixes for these names, all of one width.
    pub(crate) fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<String> = names.into_iter().map(printable).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default();
        Self {
            names: names.into_iter().map(|name| format!("{name:width$}")).collect(),
            begun: BTreeMap::new(),
        }
    }

    /// A line behind the name at this place.
    pub(crate) fn line(&self, place: usize, line: &str) -> String {
        let name = self.names.get(place).map_or("", String::as_str);
        format!("{name} | {}", printable(line))
    }

    /// Takes a piece of output, and prints the lines that it completes.
    pub(crate) fn take(
        &mut self,
        place: usize,
        channel: Channel,
        bytes: &[u8],
        session: &mut Session<'_>,
    ) -> Result<(), Failure> {
        let key = (place, channel == Channel::Error);
        let mut begun = self.begun.remove(&key).unwrap_or_default();
        begun.extend_from_slice(bytes);
        while let Some(end) = begun.iter().position(|byte| *byte == b'\n') {
            let rest = begun.split_off(end + 1);
            self.print(key, &begun[..end], session)?;
            begun = rest;
        }
        if begun.len() >= LONGEST {
            self.print(key, &begun, session)?;
            begun.clear();
        }
        if !begun.is_empty() {
            self.begun.insert(key, begun);
        }
        Ok(())
    }

    /// Prints what has no end of a line.
    pub(crate) fn end(mut self, session: &mut Session<'_>) -> Result<(), Failure> {
        for (key, rest) in std::mem::take(&mut self.begun) {
            self.print(key, &rest, session)?;
        }
        Ok(())
    }

    fn print(&self, (place, is_error): (usize, bool), line: &[u8], session: &mut Session<'_>) -> Result<(), Failure> {
        let text = String::from_utf8_lossy(line);
        let line = self.line(place, text.trim_end_matches('\r'));
        match is_error {
            true => session
                .sink
                .write(Channel::Error, format!("{line}\n").as_bytes())
                .map_err(Failure::Print),
            false => session.print(&line),
        }
    }
}
