//! Puts the terminal in order when a signal ends the process.

use std::io;
use std::sync::OnceLock;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};

/// Whether signals are awaited already.
static AWAITED: OnceLock<()> = OnceLock::new();

/// Ends the process after each of these signals, with the terminal as it is now. Only the first call has an effect.
///
/// # Errors
///
/// When standard input is no terminal, or the operating system does not report signals.
pub(super) fn restore_terminal_on(signals: &[SignalKind]) -> io::Result<()> {
    let before = tcgetattr(io::stdin())?;
    if AWAITED.set(()).is_err() {
        return Ok(());
    }
    for kind in signals {
        let (before, kind) = (before.clone(), *kind);
        let mut awaited = signal(kind)?;
        tokio::spawn(async move {
            if awaited.recv().await.is_some() {
                end(&before, kind);
            }
        });
    }
    Ok(())
}

/// Ends the process with the code that a shell gives to one that a signal ended.
fn end(before: &Termios, kind: SignalKind) {
    let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
    eprintln!();
    std::process::exit(128 + kind.as_raw_value());
}
