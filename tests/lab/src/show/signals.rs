//! Ctrl-C: the lab is removed before the program ends, not after.

use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result};
use nix::sys::signal::{SigSet, Signal};

use crate::Lab;

/// Ctrl-C was pressed. What fails from here on fails because the lab is being removed.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Everything was shown, and Ctrl-C is how it is meant to end.
static KEPT: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C removes the lab and ends the process. To be called before there are other threads.
///
/// # Errors
///
/// When the signal cannot be blocked.
pub fn remove_on_interrupt(lab: Lab) -> Result<()> {
    let mut interrupt = SigSet::empty();
    interrupt.add(Signal::SIGINT);
    interrupt.thread_block().context("cannot take Ctrl-C upon us")?;
    thread::spawn(move || {
        // It fails for signals that do not exist; this one does.
        if interrupt.wait().is_err() {
            return;
        }
        INTERRUPTED.store(true, Ordering::SeqCst);
        println!("\nRemoving everything …");
        match lab.remove() {
            Ok(()) => exit(if KEPT.load(Ordering::SeqCst) { 0 } else { 130 }),
            Err(fault) => {
                eprintln!("{fault:#}");
                exit(1)
            }
        }
    });
    Ok(())
}

/// Leaves it all up. Ends with the process, at Ctrl-C.
pub fn keep_until_interrupt() -> ! {
    KEPT.store(true, Ordering::SeqCst);
    loop {
        thread::park();
    }
}

/// Ends with the process when Ctrl-C was pressed; else returns at once.
pub fn wait_if_interrupted() {
    while INTERRUPTED.load(Ordering::SeqCst) {
        thread::park();
    }
}
