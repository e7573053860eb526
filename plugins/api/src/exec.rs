//! Further commands in a running container.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::AsyncWrite;

use crate::{EngineError, OutputStream};

/// A command to run in a running container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExecRequest {
    /// The program and its arguments. It is not passed to a shell.
    pub command: Vec<String>,
    /// Environment variables, laid over those of the container.
    pub environment: BTreeMap<String, String>,
    /// The user inside the container, by name or number, optionally with `:group`; `None` means the container's own.
    pub user: Option<String>,
    /// The working directory; `None` means the container's own.
    pub directory: Option<PathBuf>,
    /// The size of the command's terminal; `None` gives it pipes instead.
    pub terminal: Option<TerminalSize>,
}

/// The size of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    /// Characters in a line.
    pub columns: u16,
    /// Lines.
    pub rows: u16,
}

/// A command that was started in a container.
///
/// Dropping it does not end the command or the container.
pub struct ExecSession {
    /// The standard input of the command, or the keyboard of its terminal. Shutting it down ends the input.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    /// The output of the command. A terminal has one stream: all of it is [`Output::Stdout`](crate::Output).
    ///
    /// It ends when the command has ended.
    pub output: OutputStream,
    /// Further control of the command.
    pub control: Arc<dyn ExecControl>,
}

impl fmt::Debug for ExecSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecSession").finish_non_exhaustive()
    }
}

/// Controls a command that was started in a container, besides its input and output.
#[async_trait]
pub trait ExecControl: Send + Sync {
    /// Resizes the terminal of the command.
    ///
    /// # Errors
    ///
    /// When the engine does not answer, or the command has ended or has no terminal.
    async fn resize(&self, size: TerminalSize) -> Result<(), EngineError>;

    /// The exit code of the command, 128 + signal when a signal ended it; `None` while it runs.
    ///
    /// # Errors
    ///
    /// When the engine does not answer, or has forgotten the command.
    async fn exit_code(&self) -> Result<Option<i64>, EngineError>;
}
