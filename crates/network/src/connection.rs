//! Netlink connections, and the thread that drives the daemon's.
//!
//! The kernel carries a request out within the system call that sends it.
//! Removing a link takes some 20 ms there, and every request waits for the kernel's one link lock.
//! On a thread of the daemon's runtime that would be 20 ms in which no DHCPv6 message is answered, so the connection
//! has a thread to itself.

use std::future::Future;
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

/// Opens a connection in the calling thread's network namespace, driven by the runtime that it is within.
///
/// The namespace is the one at this moment, wherever the thread goes afterwards.
pub(crate) fn connect() -> Result<Handle, NetworkError> {
    let (connection, handle) = connection().map_err(NetworkError::Open)?;
    tokio::spawn(connection);
    Ok(handle)
}

/// Body of the thread: reports the handle, then serves it until its last clone is gone.
fn drive(report: &mpsc::SyncSender<io::Result<Handle>>) {
    let runtime = match runtime::Builder::new_current_thread().enable_io().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(report.send(Err(error))),
    };
    runtime.block_on(async {
        match connection() {
            Ok((connection, handle)) => {
                if report.send(Ok(handle)).is_ok() {
                    connection.await;
                }
            }
            Err(error) => drop(report.send(Err(error))),
        }
    });
}

/// A connection that ends with the last clone of its handle.
fn connection() -> io::Result<(impl Future<Output = ()> + Send + 'static, Handle)> {
    let (connection, handle, unasked) = rtnetlink::new_connection()?;
    // Nothing is subscribed to on this socket, and an open receiver would keep the connection for ever.
    drop(unasked);
    Ok((connection, handle))
}
