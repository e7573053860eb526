//! `health`: how an instance is checked.

use std::collections::BTreeMap;
use std::time::Duration;

use orchestrator_model::ServicePort;
use orchestrator_settings::{Entry, Table};

use super::ports;

const HOUR: Duration = Duration::from_secs(3600);
const SHORTEST: Duration = Duration::from_millis(100);
/// The longest command, in words.
const MOST_WORDS: usize = 64;

/// How an instance is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// What one check does.
    pub probe: Probe,
    /// The time from the end of one check to the beginning of the next.
    pub every: Duration,
    /// The time limit of one check.
    pub timeout: Duration,
    /// The number of failed checks in a row after which an instance that passed is failing; at least one.
    pub failures: u32,
    /// The number of successful checks in a row after which an instance passes; at least one.
    pub successes: u32,
}

/// What a check does. All connect to the address of the instance, or run inside of its first container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// Gets this path by HTTP/1.1. It succeeds with a status of 200 to 399.
    Http {
        /// The path, with its query; it begins with a slash.
        path: String,
        /// The name of the port.
        port: String,
    },
    /// Opens a connection to the port of this name.
    Tcp {
        /// The name of the port.
        port: String,
    },
    /// Runs this command in the first container. It succeeds with the exit code 0.
    Exec {
        /// The program and its arguments; not empty.
        command: Vec<String>,
    },
}

/// Reads the check; `None` only after a fault.
pub(super) fn read(entry: Entry<'_>, ports: &BTreeMap<String, ServicePort>) -> Option<Health> {
    let mut table = entry.table()?;
    let probe = read_probe(&mut table, ports);
    let mut span = |key, default, most| match table.take(key) {
        Some(entry) => entry.lifespan(SHORTEST..=most),
        None => Some(default),
    };
    let every = span("every", Duration::from_secs(2), HOUR);
    let timeout = span("timeout", Duration::from_secs(1), Duration::from_secs(60));
    let mut number = |key, default| table.take(key).map_or(Some(default), |entry| entry.whole(1..=100));
    let failures = number("failures", 3);
    let successes = number("successes", 1);
    table.finish();
    Some(Health {
        probe: probe?,
        every: every?,
        timeout: timeout?,
        failures: failures?,
        successes: successes?,
    })
}

fn read_probe(table: &mut Table<'_>, ports: &BTreeMap<String, ServicePort>) -> Option<Probe> {
    match (table.take("http"), table.take("tcp"), table.take("exec")) {
        (Some(path), None, None) => {
            let remedy = "write a path like \"/health\"";
            let path = path.parse(remedy, parse_path);
            let port = ports::read_name(table, ports, true);
            Some(Probe::Http {
                path: path?,
                port: port?,
            })
        }
        (None, Some(port), None) => ports::named(port, ports, true).map(|port| Probe::Tcp { port }),
        (None, None, Some(command)) => read_command(command).map(|command| Probe::Exec { command }),
        (None, None, None) => {
            let remedy = "write http = \"/health\", tcp = \"PORT\" or exec = [\"PROGRAM\"]";
            table.fault("http", "is missing, and so are tcp and exec", remedy);
            None
        }
        _ => {
            table.fault(
                "http",
                "stands beside another kind of check",
                "keep one of http, tcp and exec",
            );
            None
        }
    }
}

fn read_command(entry: Entry<'_>) -> Option<Vec<String>> {
    let word = |entry: Entry<'_>| entry.parse("remove it", parse_word);
    if entry.is_empty_list() {
        entry.fault(
            "names no program",
            "write the program and its arguments, like [\"/bin/check\", \"-q\"]",
        );
        return None;
    }
    entry.list_of(MOST_WORDS, word)
}

fn parse_word(text: &str) -> Result<String, &'static str> {
    match text.contains('\0') || text.len() > 4096 {
        true => Err("has a NUL byte, or more than 4096 bytes"),
        false => Ok(text.to_owned()),
    }
}

/// Parses a path that can be put into a request line (RFC 9112 §3.2.1).
pub(super) fn parse_path(text: &str) -> Result<String, String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    match text.starts_with('/') && plain && text.len() <= 1024 {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{text:?} is no path: it has a slash first, and then at most 1023 visible characters of ASCII"
        )),
    }
}
