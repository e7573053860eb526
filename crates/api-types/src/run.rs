//! What runs in instances: commands, output, use of the machine.

use std::collections::BTreeMap;

use orchestrator_model::{InstanceId, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::word::words;
use crate::{Problem, scalar};

/// The size of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TerminalSize {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// A file that is put into a container before a command runs there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecFile {
    /// The absolute path of the file in the container. Its directory exists.
    pub path: String,
    /// The length of the file in bytes. Its content follows in frames, file after file.
    pub size: u64,
    /// Whether it may be executed.
    #[serde(default)]
    pub executable: bool,
}

/// A command to run in an instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// The program and its arguments. It is not passed to a shell.
    pub command: Vec<String>,
    /// The container in which it runs; without it, the first one.
    #[serde(default)]
    pub container: Option<String>,
    /// Environment variables, laid over those of the container.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// The user inside the container, by name or number, optionally with `:group`; `null` means the container's own.
    #[serde(default)]
    pub user: Option<String>,
    /// The working directory; `null` means the container's own.
    #[serde(default)]
    pub directory: Option<String>,
    /// The size of the command's terminal; `null` gives it pipes instead.
    #[serde(default)]
    pub terminal: Option<TerminalSize>,
    /// Whether its standard input follows in frames. Otherwise its input is empty.
    #[serde(default)]
    pub input: bool,
    /// Files that are put into the container first.
    #[serde(default)]
    pub files: Vec<ExecFile>,
}

/// How a command ended. One of the two keys has a value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExecEnd {
    /// The exit code of the command, 128 + signal when a signal ended it.
    pub exit_code: Option<i64>,
    /// Why it is not known how it ended.
    pub problem: Option<Problem>,
}

/// A command line, as it is typed after the program's name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShellLine {
    /// The line: words with quotes as in a shell, such as `exec 'web-*' --force -- uptime`.
    pub line: String,
    /// The standard input of the line, such as the password for `registry login`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
}

/// A record of the answer to a command line. One of the keys is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShellRecord {
    /// A piece of the output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// A piece of an archive that the line writes to standard output, in base64. The pieces of a line make one text in
    /// base64: all but the last have no padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// A piece of what goes to standard error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The exit code of the line. The last record has it; without it, the line did not end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
}

words! {
    /// Where a line was written to.
    pub enum LogSource {
        /// The standard output.
        Stdout = "stdout",
        /// The standard error.
        Stderr = "stderr",
        /// Nowhere: the line is from the timeline, because the container is gone or its engine keeps no output.
        Timeline = "timeline",
    }
}

/// A line that an instance wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// When it was written.
    #[schemars(with = "scalar::Timestamp")]
    pub at: Timestamp,
    /// The container that wrote it.
    pub container: String,
    /// Where it was written to.
    pub source: LogSource,
    /// The line without its end. Bytes that are not UTF-8 are replaced; a line that is too long is cut.
    pub line: String,
    /// Why no further lines follow. `line` is empty then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// Selects lines that an instance wrote.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogQuery {
    /// The container; without it, all of them.
    pub container: Option<String>,
    /// Whether the stream goes on with new lines until the container ends.
    #[serde(default)]
    pub follow: bool,
    /// Only lines from this moment on.
    #[schemars(with = "Option<scalar::Timestamp>")]
    pub since: Option<Timestamp>,
    /// Only so many lines of each container, from the end.
    pub tail: Option<u32>,
}

/// What a container uses of its machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContainerStats {
    /// The container.
    pub container: String,
    /// The processor time of all its processes since its start, in nanoseconds.
    pub cpu_nanoseconds: u64,
    /// The memory in use, in bytes, without the page cache.
    pub memory: u64,
    /// The number of processes and threads; `null` if the engine does not report it.
    pub pids: Option<u64>,
}

/// What an instance uses of its machine, measured once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InstanceStats {
    /// The instance.
    #[schemars(with = "scalar::Id")]
    pub id: InstanceId,
    /// When it was measured.
    #[schemars(with = "scalar::Timestamp")]
    pub at: Timestamp,
    /// Its containers.
    pub containers: Vec<ContainerStats>,
}
