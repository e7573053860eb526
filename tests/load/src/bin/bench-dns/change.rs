//! How long a name takes to be right after a change.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::servers::{Kind, Site};

/// How long a name may take.
const LIMIT: Duration = Duration::from_secs(5);
/// AAAA and IN (RFC 1035, section 3.2).
const QUESTION: [u8; 4] = [0, 28, 0, 1];

/// Records so many leases, each with a name of its own, and waits for each name.
pub(crate) fn measure(site: &Site, names: u32, changes: u32) -> Result<Vec<Duration>> {
    let socket = site.host().within(|| UdpSocket::bind("[::1]:0"))?;
    socket.set_read_timeout(Some(Duration::from_millis(100)))?;
    socket.connect(("::1", Kind::Ours.port()))?;
    (1..=changes)
        .map(|change| {
            let number = names + change;
            let query = query(&[&format!("c{number}"), "client", "home", "arpa"]);
            site.lease(number, &format!("c{number}"))?;
            let begin = Instant::now();
            while !is_there(&socket, &query)? {
                ensure!(
                    begin.elapsed() < LIMIT,
                    "the name c{number} is not there after {LIMIT:?}"
                );
            }
            Ok(begin.elapsed())
        })
        .collect()
}

/// A query for the addresses of a name.
fn query(labels: &[&str]) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in labels {
        bytes.push(u8::try_from(label.len()).unwrap_or_default());
        bytes.extend(label.bytes());
    }
    bytes.push(0);
    bytes.extend(QUESTION);
    bytes
}

/// Whether the answer has a record.
fn is_there(socket: &UdpSocket, query: &[u8]) -> Result<bool> {
    socket.send(query).context("cannot ask")?;
    let mut room = [0; 512];
    match socket.recv(&mut room) {
        Ok(length) => Ok(length > 12 && room[6..8] != [0, 0]),
        // It was lost.
        Err(_) => Ok(false),
    }
}
