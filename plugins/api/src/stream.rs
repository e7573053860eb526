//! Streams that an engine hands out.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;

use crate::EngineError;

/// Bytes in the order in which the engine sends them. The stream ends after its first error.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, EngineError>> + Send>>;

/// The output of processes, in the order in which the engine sends it. The stream ends after its first error.
pub type OutputStream = Pin<Box<dyn Stream<Item = Result<Output, EngineError>> + Send>>;

/// A piece of what a process wrote. It may begin and end in the middle of a line or of a character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Written to its standard output, or to its terminal.
    Stdout(Bytes),
    /// Written to its standard error.
    Stderr(Bytes),
}

impl Output {
    /// The bytes, wherever they were written to.
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Stdout(bytes) | Self::Stderr(bytes) => bytes,
        }
    }
}
