//! The one room for the runtime: `runc` with fixed arguments.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::state::Directory;

/// The runtime.
#[derive(Debug, Clone)]
pub(crate) struct Runc {
    program: PathBuf,
}

/// The files of one command that is run in a container.
#[derive(Debug)]
pub(crate) struct ExecFiles {
    /// What is run, as the runtime wants it.
    pub(crate) process: PathBuf,
    /// Where the runtime writes the number of the process.
    pub(crate) pid: PathBuf,
    /// Where the runtime says what went wrong.
    pub(crate) log: PathBuf,
    /// The socket that gets the terminal, when there is to be one.
    pub(crate) console: Option<PathBuf>,
}

impl Runc {
    /// The runtime of this path or name.
    pub(crate) fn new(program: PathBuf) -> Self {
        Self { program }
    }

    /// Makes and starts the container of a bundle. Ends as soon as its first process runs, which is the caller's child
    /// then, when the caller is a subreaper.
    pub(crate) fn run(&self, container: &Directory) -> Command {
        let mut command = self.command(container, &log_of(container));
        command.args(["run", "--detach", "--bundle"]).arg(container.path());
        command
            .arg("--pid-file")
            .arg(pid_of(container))
            .arg(container.reference());
        command
    }

    /// Starts a command in a container that runs. Ends as soon as that runs, which is the caller's child then.
    pub(crate) fn exec(&self, container: &Directory, files: &ExecFiles) -> Command {
        let mut command = self.command(container, &files.log);
        command.args(["exec", "--detach", "--process"]).arg(&files.process);
        command.arg("--pid-file").arg(&files.pid);
        if let Some(console) = &files.console {
            command.arg("--console-socket").arg(console);
        }
        command.arg(container.reference());
        command
    }

    /// The name and version of the runtime.
    ///
    /// # Errors
    ///
    /// When it cannot be run.
    pub(crate) fn version(&self) -> io::Result<String> {
        let output = Command::new(&self.program)
            .arg("--version")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().next().unwrap_or("a runtime without a version").to_owned())
    }

    fn command(&self, container: &Directory, log: &Path) -> Command {
        let mut command = Command::new(&self.program);
        // A collection costs more than it frees in a process that lives for some milliseconds.
        command.env("GOGC", "off");
        command.arg("--root").arg(container.runtime());
        command.args(["--log-format", "json", "--log"]).arg(log);
        command
    }
}

/// Where the runtime writes the number of the first process.
pub(crate) fn pid_of(container: &Directory) -> PathBuf {
    container.file("pid")
}

/// Where the runtime says what went wrong at a start.
pub(crate) fn log_of(container: &Directory) -> PathBuf {
    container.file("runc.log")
}

/// Reads the number of a process that the runtime wrote.
pub(crate) fn read_pid(path: &Path) -> io::Result<u32> {
    let text = fs::read_to_string(path)?;
    text.trim().parse().map_err(|_| io::ErrorKind::InvalidData.into())
}

/// The last error in the runtime's log.
pub(crate) fn last_error(log: &Path) -> Option<String> {
    #[derive(Deserialize)]
    struct Line {
        level: String,
        msg: String,
    }
    let text = fs::read_to_string(log).ok()?;
    let mut lines = text
        .lines()
        .rev()
        .filter_map(|line| serde_json::from_str::<Line>(line).ok());
    lines.find(|line| line.level == "error").map(|line| line.msg)
}

/// Whether the runtime's error is about the program of the container, which only another specification can mend.
pub(crate) fn is_about_program(error: &str) -> bool {
    let about = [
        "executable file not found",
        "exec: ",
        "no such file or directory",
        "permission denied",
    ];
    error.contains("exec") && about.iter().any(|words| error.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_missing_is_the_operator_s_to_mend() {
        let missing = "runc run failed: unable to start container process: exec: \"nowhere\": executable file not found \
                       in $PATH";
        assert!(is_about_program(missing));
        assert!(!is_about_program(
            "runc run failed: container with given ID already exists"
        ));
    }
}
