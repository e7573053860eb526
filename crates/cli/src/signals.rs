//! Signals that stop a verb which otherwise runs for ever.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Signals that may wait for their reader: the second one says that the first was too slow.
const WAITING: usize = 2;

/// A message for each SIGTERM and SIGINT. From now on they do not end the process.
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
