//! One client's way to a lease: Solicit, Advertise, Request, Reply, one after the other.

use std::io::ErrorKind;
use std::net::{SocketAddrV6, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use orchestrator_wire::{
    ADVERTISE, ELAPSED_TIME, IA_NA, Message, REPLY, REQUEST, SERVER_ID, SOLICIT, Xid, client_id, duid_ll, ia_na,
    message, option,
};

/// How long a server may take to answer, however often it is asked.
const LIMIT: Duration = Duration::from_secs(60);

/// The time after which a client asks again (RFC 9915, section 7.6).
const AGAIN: Duration = Duration::from_secs(1);

/// Obtains a lease for the client of this number, over the interface of this index. Runs in the client's network.
///
/// # Errors
///
/// When the server does not answer in time, or answers something else.
pub fn exchange(client: u32, interface: u32) -> Result<()> {
    let socket = UdpSocket::bind("[::]:546")?;
    socket.set_read_timeout(Some(AGAIN))?;
    let servers = SocketAddrV6::new("ff02::1:2".parse()?, 547, 0, interface);
    let [a, b, c, d] = client.to_be_bytes();
    let identity = client_id(&duid_ll([0x02, 0x5e, a, b, c, d]));
    let elapsed = option(ELAPSED_TIME, &[0; 2]);
    let mut answer = [0; 1500];
    let mut ask = |kind: u8, xid: Xid, options: &[Vec<u8>]| -> Result<Message> {
        let common = [identity.clone(), elapsed.clone()];
        let until = Instant::now() + LIMIT;
        while Instant::now() < until {
            socket.send_to(&message(kind, xid, &[&common, options].concat()), servers)?;
            match socket.recv(&mut answer) {
                // What answers an earlier question twice is read here, and asked for again.
                Ok(length) if answer[1..4] == xid => return Ok(Message::parse(&answer[..length])),
                Ok(_) => {}
                Err(fault) if fault.kind() == ErrorKind::WouldBlock => {}
                Err(fault) => return Err(fault.into()),
            }
        }
        bail!("no answer to message type {kind} within {LIMIT:?}")
    };
    let advertise = ask(SOLICIT, [0x51, c, d], &[ia_na(client, &[])])?;
    ensure!(
        advertise.kind == ADVERTISE,
        "no Advertise but message type {}",
        advertise.kind
    );
    let of = |code: u16| advertise.options.get(code).map(|body| option(code, body));
    let server = of(SERVER_ID).context("an Advertise without a server identifier")?;
    let offer = of(IA_NA).context("an Advertise without an address")?;
    let reply = ask(REQUEST, [0x52, c, d], &[server, offer])?;
    if reply.kind != REPLY {
        bail!("no Reply but message type {}", reply.kind);
    }
    Ok(())
}
