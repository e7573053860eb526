//! Signals that stop a verb without an end of its own.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// How many signals are queued. The second one means that the reaction to the first was too slow.
const WAITING: usize = 2;

/// Sends a message for each SIGTERM and SIGINT. From now on these signals do not end the process.
///
/// # Errors
///
/// When the operating system does not report signals.
pub(super) fn stops() -> io::Result<mpsc::Receiver<()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            // The reader that is gone needs none.
            if sender.send(()).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}
