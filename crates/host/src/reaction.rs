//! Whether an instance reacts to a connection.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

/// How an instance took a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// It closed it after us, or sent something: its process is at work.
    Reacted,
    /// It was taken, perhaps by the kernel alone: that queues connections for a process that does nothing.
    Taken,
}

/// Closes our side of a connection and waits for the other side until the deadline.
///
/// A server that is at work closes its side in turn, or says something first; a process that is stopped or hangs does
/// neither.
pub async fn reaction(stream: &mut (impl AsyncRead + AsyncWrite + Unpin + ?Sized), deadline: Instant) -> Reaction {
    if stream.shutdown().await.is_err() {
        return Reaction::Reacted;
    }
    match timeout_at(deadline, stream.read(&mut [0])).await {
        Ok(_) => Reaction::Reacted,
        Err(_) => Reaction::Taken,
    }
}
