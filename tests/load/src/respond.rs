//! A server that does nothing: it keeps no state, and gives each client the address made of the end of its DUID. What the
//! generator does against it is the most that it can tell of any server.

use std::net::Ipv6Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use orchestrator_wire::batch;
use orchestrator_wire::{ADVERTISE, REPLY, SOLICIT};

use crate::socket::{BatchSocket, Outbox};

/// A DUID-LL that is none of a client's.
const SERVER: [u8; 10] = [0, 3, 0, 1, 2, 0xff, 0, 0, 0, 1];
/// How long it takes to notice that it is to stop.
const PERIOD: Duration = Duration::from_millis(100);

/// Answers clients on `interface` with addresses that begin like `prefix`, until `stop`.
///
/// # Errors
///
/// When the port is taken or the interface goes away.
pub fn respond(interface: &str, prefix: Ipv6Addr, stop: &AtomicBool) -> Result<()> {
    let mut socket = BatchSocket::server(interface).with_context(|| format!("cannot serve on {interface}"))?;
    let prefix = u128::from(prefix);
    let mut outbox = Outbox::default();
    while !stop.load(Ordering::Relaxed) {
        let read = socket.receive(|datagram, from| {
            if let Some(question) = batch::question(datagram) {
                let kind = if question.kind == SOLICIT { ADVERTISE } else { REPLY };
                outbox.add(from, |out| batch::write_answer(kind, &question, &SERVER, prefix, out));
            }
        })?;
        socket.send(&mut outbox)?;
        if read == 0 {
            socket.wait_readable(PERIOD)?;
        }
    }
    Ok(())
}
