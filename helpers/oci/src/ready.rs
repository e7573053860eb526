//! Handles that the runtime waits for.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Waits for an open file, process or terminal on the runtime.
#[allow(
    unsafe_code,
    reason = "tokio has no safe call for handles of other kinds than its own"
)]
pub(crate) fn ready(handle: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is open for as long as it lives, and returns the same number each time. The `AsyncFd` owns it,
    // and nobody here replaces it there.
    let registered = unsafe { AsyncFd::register_with_interest(handle, interest) };
    Ok(registered?)
}
