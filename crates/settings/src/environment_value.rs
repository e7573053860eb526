//! `[template.NAME.environment]`: environment variables of an instance, and the sources of their values.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::reader::{Entry, Table};
use super::template::parse_word;
use orchestrator_model::ValueSource;

/// The environment of a template.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Environment {
    /// Values that are written in the settings.
    pub(super) plain: BTreeMap<String, String>,
    /// Values that are read when an instance is started.
    pub(super) sourced: BTreeMap<String, ValueSource>,
}

/// Reads every variable, and leaves out those with faults.
pub(super) fn read_environment(mut table: Table<'_>) -> Environment {
    let mut environment = Environment::default();
    for (name, entry) in table.drain() {
        if name.is_empty() || name.contains(['=', '\0']) {
            entry.fault(
                format!("{name:?} cannot be the name of a variable"),
                "leave \"=\" out of it",
            );
        } else if entry.is_table() {
            let source = entry.table().and_then(read_source);
            environment.sourced.extend(source.map(|source| (name, source)));
        } else if let Some(value) = entry.parse("leave NUL bytes out", parse_word) {
            environment.plain.insert(name, value);
        }
    }
    environment
}

/// Reads `{ file = "/etc/…" }` or `{ credential = "…" }`. `None` only after a fault.
fn read_source(mut table: Table<'_>) -> Option<ValueSource> {
    let source = take_source(&mut table);
    table.finish();
    source
}

/// Takes the keys `file` and `credential`, one of which is needed. `None` only after a fault.
pub(super) fn take_source(table: &mut Table<'_>) -> Option<ValueSource> {
    let file = |entry: Entry<'_>| entry.parse("write it like \"/etc/orchestrator/token\"", parse_path);
    let credential = |entry: Entry<'_>| entry.parse("name it as LoadCredential= does", parse_credential);
    match (table.take("file"), table.take("credential")) {
        (Some(entry), None) => file(entry).map(ValueSource::File),
        (None, Some(entry)) => credential(entry).map(ValueSource::Credential),
        (None, None) => {
            table.fault(
                "file",
                "is missing",
                "name the file that holds the value, or a credential",
            );
            None
        }
        (Some(entry), Some(_)) => {
            entry.fault("conflicts with `credential`", "keep one of the two");
            None
        }
    }
}

/// Parses the absolute path of a file on this machine.
pub(super) fn parse_path(text: &str) -> Result<PathBuf, String> {
    let path = Path::new(text);
    let plain = |part: Component<'_>| matches!(part, Component::RootDir | Component::Normal(_));
    if path.is_absolute() && path.components().all(plain) && !text.ends_with('/') && !text.contains('\0') {
        Ok(path.to_owned())
    } else {
        Err(format!("{text:?} is not the absolute path of a file"))
    }
}

/// Parses a credential's name with systemd's rules: one path component.
fn parse_credential(text: &str) -> Result<String, String> {
    let names_itself = matches!(text, "" | "." | "..") || text.len() > 255;
    if names_itself || text.contains(['/', '\0']) {
        Err(format!("{text:?} cannot be the name of a credential"))
    } else {
        Ok(text.to_owned())
    }
}
