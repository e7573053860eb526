//! The netlink connection and the thread that drives it.
//!
//! The kernel carries a request out within the system call that sends it.
//! Removing a link takes some 20 ms there, and every request waits for the kernel's one link lock.
//! On a thread of the daemon's runtime that would be 20 ms in which no DHCPv6 message is answered, so the connection
//! has a thread to itself.

use std::io;
use std::sync::mpsc;
use std::thread;

use rtnetlink::Handle;
use tokio::runtime;

use crate::NetworkError;

/// Opens a connection in the calling thread's network namespace.
///
/// Its thread ends with the last clone of the handle.
pub(crate) fn open() -> Result<Handle, NetworkError> {
    let (report, opened) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("netlink".into())
        .spawn(move || drive(&report))
        .map_err(NetworkError::Open)?;
    let ended = || Err(io::Error::other("the thread for netlink ended"));
    opened.recv().unwrap_or_else(|_| ended()).map_err(NetworkError::Open)
}

/// Body of the thread: reports the handle, then serves it until its last clone is gone.
fn drive(report: &mpsc::SyncSender<io::Result<Handle>>) {
    let runtime = match runtime::Builder::new_current_thread().enable_io().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(report.send(Err(error))),
    };
    runtime.block_on(async {
        match rtnetlink::new_connection() {
            Ok((connection, handle, unasked)) => {
                // Nothing is subscribed to on this socket, and an open receiver would keep the connection for ever.
                drop(unasked);
                if report.send(Ok(handle)).is_ok() {
                    connection.await;
                }
            }
            Err(error) => drop(report.send(Err(error))),
        }
    });
}
