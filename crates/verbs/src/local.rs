//! What is at hand where a line was typed: files, a person who answers, a terminal.

use std::io;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use orchestrator_api_types::TerminalSize;

/// A file that is named on a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Its content.
    pub content: Vec<u8>,
    /// Whether it may be executed.
    pub executable: bool,
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
pub type Typing = Pin<Box<dyn Stream<Item = Typed> + Send>>;

/// A terminal that gives every key as it is. It is as before once this is dropped.
pub struct Terminal {
    /// Its size.
    pub size: TerminalSize,
    /// What somebody does at it.
    pub typing: Typing,
    /// Restores it.
    pub guard: Box<dyn Send>,
}

/// What is at hand where a line was typed. A line that came from elsewhere has none of it but the files that came with
/// it.
#[async_trait]
pub trait Local: Send + Sync {
    /// The file that a line names.
    ///
    /// # Errors
    ///
    /// When there is none, or it cannot be read.
    async fn file(&self, name: &str) -> io::Result<LocalFile>;

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

impl Nothing {
    fn refused<T>(what: &str) -> io::Result<T> {
        let text = format!("a line that came from elsewhere has no {what}");
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }
}

#[async_trait]
impl Local for Nothing {
    async fn file(&self, name: &str) -> io::Result<LocalFile> {
        let text = format!("the file {name} did not come with the line");
        Err(io::Error::new(io::ErrorKind::NotFound, text))
    }

    async fn confirm(&self, _: &str) -> Option<bool> {
        None
    }

    fn terminal(&self) -> io::Result<Terminal> {
        Self::refused("terminal")
    }

    fn input(&self) -> io::Result<Typing> {
        Self::refused("standard input")
    }
}
