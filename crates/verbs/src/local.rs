//! What is at hand where a line was typed: files, standard input, a person who answers, a terminal.

use std::io;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, future, stream};
use orchestrator_api_types::TerminalSize;

use crate::api::Stream;

/// The name of standard input and of standard output on a line.
pub const DASH: &str = "-";

/// A file that is named on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Its content.
    pub content: Bytes,
    /// Whether it may be executed.
    pub executable: bool,
}

/// A file, or standard input, that is read piece by piece.
pub struct Input {
    /// Its length in bytes, where it has one. A pipe has none.
    pub length: Option<u64>,
    /// Its content.
    pub pieces: Stream,
}

/// A file that is written. It is in its place as a whole, or not at all: dropped before [`place`](Self::place), nothing of
/// it is left.
#[async_trait]
pub trait NewFile: Send {
    /// Appends bytes.
    ///
    /// # Errors
    ///
    /// When they cannot be written.
    async fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Puts the file in its place, instead of one that is there.
    ///
    /// # Errors
    ///
    /// When it cannot be written to the disk or renamed.
    async fn place(self: Box<Self>) -> io::Result<()>;
}

/// What somebody does at a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// Bytes, as the keyboard gives them.
    Bytes(Bytes),
    /// The terminal has another size.
    Size(TerminalSize),
}

/// What somebody types, until there is no more.
pub type Typing = Pin<Box<dyn futures_util::Stream<Item = Typed> + Send>>;

/// A terminal that gives every key as it is. It is as before once this is dropped.
pub struct Terminal {
    /// Its size.
    pub size: TerminalSize,
    /// What somebody does at it.
    pub typing: Typing,
    /// Restores it.
    pub guard: Box<dyn Send>,
}

/// What is at hand where a line was typed. A line that came from elsewhere has none of it but the files and the standard
/// input that came with it.
#[async_trait]
pub trait Local: Send + Sync {
    /// The file that a line names.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be read.
    async fn file(&self, name: &str) -> io::Result<LocalFile>;

    /// Opens the file that a line names, or standard input for [`DASH`].
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be read.
    async fn open(&self, name: &str) -> io::Result<Input> {
        if name == DASH {
            let pieces = self.input()?.filter_map(|typed| future::ready(bytes_of(typed).map(Ok)));
            return Ok(Input {
                length: None,
                pieces: Box::pin(pieces),
            });
        }
        let content = self.file(name).await?.content;
        Ok(Input {
            length: Some(content.len() as u64),
            pieces: Box::pin(stream::iter([Ok(content)])),
        })
    }

    /// Begins the file that a line names.
    ///
    /// # Errors
    ///
    /// When it cannot be written there, or no file can be written where the line was typed.
    async fn create(&self, _name: &str) -> io::Result<Box<dyn NewFile>> {
        refused(
            io::ErrorKind::Unsupported,
            "a line that came from elsewhere writes no file; give \"-\" in place of the file, and its bytes come in the answer",
        )
    }

    /// Reads a line of standard input, or at most this many bytes of it. Somebody at a terminal is asked by `prompt`, and
    /// what is typed is not shown.
    ///
    /// # Errors
    ///
    /// When there is no standard input, or it cannot be read.
    async fn secret(&self, _prompt: &str, longest: usize) -> io::Result<Vec<u8>> {
        let mut input = self.input()?;
        let mut line = Vec::new();
        while let Some(typed) = input.next().await {
            line.extend_from_slice(&bytes_of(typed).unwrap_or_default());
            if line.contains(&b'\n') || line.len() >= longest {
                break;
            }
        }
        let end = line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len());
        line.truncate(end.min(longest));
        Ok(line)
    }

    /// Asks somebody. `None` when nobody can be asked. A question that is dropped takes no more keys.
    async fn confirm(&self, question: &str) -> Option<bool>;

    /// Takes the terminal over.
    ///
    /// # Errors
    ///
    /// When there is none.
    fn terminal(&self) -> io::Result<Terminal>;

    /// What comes on standard input.
    ///
    /// # Errors
    ///
    /// When there is none.
    fn input(&self) -> io::Result<Typing>;
}

/// Nothing is at hand.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

/// The bytes that were typed; `None` for a change of the terminal.
fn bytes_of(typed: Typed) -> Option<Bytes> {
    match typed {
        Typed::Bytes(bytes) => Some(bytes),
        Typed::Size(_) => None,
    }
}

fn refused<T>(kind: io::ErrorKind, text: impl Into<String>) -> io::Result<T> {
    Err(io::Error::new(kind, text.into()))
}

#[async_trait]
impl Local for Nothing {
    async fn file(&self, name: &str) -> io::Result<LocalFile> {
        refused(
            io::ErrorKind::NotFound,
            format!("the file {name} did not come with the line; send it as a part of the request with this file name"),
        )
    }

    async fn confirm(&self, _: &str) -> Option<bool> {
        None
    }

    fn terminal(&self) -> io::Result<Terminal> {
        refused(
            io::ErrorKind::Unsupported,
            "a line that came from elsewhere has no terminal; leave -it out, or use the command line",
        )
    }

    fn input(&self) -> io::Result<Typing> {
        refused(
            io::ErrorKind::NotFound,
            "no standard input came with the line; send it as a part of the request with the name \"input\"",
        )
    }
}
