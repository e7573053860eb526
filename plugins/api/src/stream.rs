//! Streams of an engine.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;

use crate::EngineError;

/// Bytes in the order in which the engine sends them. The stream ends after its first error.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, EngineError>> + Send>>;

/// The output of processes, in the order in which the engine sends it. The stream ends after its first error.
pub type OutputStream = Pin<Box<dyn Stream<Item = Result<Output, EngineError>> + Send>>;

/// A piece of a process's output. It may begin and end in the middle of a line or of a character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// From its standard output, or from its terminal.
    Stdout(Bytes),
    /// From its standard error.
    Stderr(Bytes),
}

impl Output {
    /// The bytes, from either stream.
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Stdout(bytes) | Self::Stderr(bytes) => bytes,
        }
    }
}
