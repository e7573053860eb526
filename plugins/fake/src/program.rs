//! The behaviour of a container of the fake, by the first word of its command.
//!
//! | command | as a container | as a further command in one |
//! |---|---|---|
//! | none, or any other word | runs until it is stopped | ends with 127 |
//! | `exit CODE` | ends with this code | the same |
//! | `say OUT ERR` | writes both and runs on | writes both and ends with 0 |
//! | `once` | runs on its first start, ends with 9 on each later one | |
//! | `echo` | | writes what it reads, to the end of its input |
//! | `show PATH` | | writes the file; ends with 1 when there is none |
//! | `write PATH TEXT` | | writes the file; ends with 1 where only reading is allowed |
//! | `exists PATH` | | ends with 0 when there is such a file or device, else with 1 |
//! | `size` | | writes `ROWS COLUMNS` of its terminal each time it reads a line |

use bytes::Bytes;
use orchestrator_plugin::Output;

/// The behaviour of a container at its start.
pub(crate) struct Start {
    /// Its output.
    pub(crate) output: Vec<Output>,
    /// The exit code with which it ends at once; `None` if it keeps running.
    pub(crate) exit: Option<i64>,
}

/// The behaviour of a container with this command at its `nth` start, from 0.
pub(crate) fn start(command: &[String], nth: u32) -> Start {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let (output, exit) = match words.as_slice() {
        ["exit", code] => (Vec::new(), Some(code.parse().unwrap_or(127))),
        ["say", out, err] => (said(out, err), None),
        ["once"] if nth > 0 => (Vec::new(), Some(9)),
        _ => (Vec::new(), None),
    };
    Start { output, exit }
}

/// A text for standard output and one for standard error.
pub(crate) fn said(out: &str, err: &str) -> Vec<Output> {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    vec![Output::Stdout(bytes(out)), Output::Stderr(bytes(err))]
}
