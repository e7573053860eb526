//! The settings as written: a tree of values from the file and the environment, before any check.

use std::io::ErrorKind;
use std::path::Path;

use config::{File, FileFormat, Source, Value, ValueKind};

use super::fault::Fault;
use orchestrator_runtime::files::{self, Symlinks};

/// The largest settings file, in bytes.
const LARGEST: u64 = 1 << 20;

/// Reads the file.
pub(super) fn from_file(path: &Path) -> Result<Value, Fault> {
    let name = path.display().to_string();
    let unreadable = |error: std::io::Error| match error.kind() {
        ErrorKind::FileTooLarge => fault(
            &name,
            "is larger than 1 MiB".to_owned(),
            "give a settings file with --settings FILE",
        ),
        _ => {
            let remedy = "give the settings file with --settings FILE and let us read it";
            fault(&name, format!("cannot be read ({error})"), remedy)
        }
    };
    let text = files::read_text(path, Symlinks::Follow, LARGEST).map_err(unreadable)?;
    from_text(&name, &text)
}

/// Parses text. `name` stands for the file in faults.
pub(super) fn from_text(name: &str, text: &str) -> Result<Value, Fault> {
    from_toml(text).map_err(|what| fault(name, what, "correct the TOML there (https://toml.io)"))
}

fn fault(name: &str, what: String, remedy: &str) -> Fault {
    Fault {
        key: name.to_owned(),
        variable: None,
        what,
        remedy: remedy.to_owned(),
    }
}

/// Parses TOML. The error is one line that says where the fault is.
pub(super) fn from_toml(text: &str) -> Result<Value, String> {
    match File::from_str(text, FileFormat::Toml).collect() {
        Ok(table) => Ok(Value::new(None, ValueKind::Table(table))),
        Err(error) => Err(on_one_line(&error.to_string())),
    }
}

/// The parser shows the place on several lines. The first and the last contain everything.
fn on_one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines.as_slice() {
        [] => "is not TOML".to_owned(),
        [only] => (*only).to_owned(),
        [first, .., last] => format!("{first}: {last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_toml_is_told_on_one_line() {
        let fault = from_toml("[store]\nurl = ").unwrap_err();
        assert!(fault.starts_with("TOML parse error at line 2, column 7: "), "{fault}");
        assert!(!fault.contains('\n'), "{fault}");
    }

    #[test]
    fn a_missing_file_says_what_to_do() {
        let fault = from_file(Path::new("/nowhere/settings.toml")).unwrap_err().to_string();
        assert_eq!(
            fault,
            "/nowhere/settings.toml: cannot be read (No such file or directory (os error 2)); \
             give the settings file with --settings FILE and let us read it"
        );
    }
}
