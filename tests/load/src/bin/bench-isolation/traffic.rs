//! Traffic between a client and its instance: a stream, small messages, and new connections.
//!
//! Both ends are threads of this program, each in the network of its end. What is measured is the way between them.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::Extent;
use crate::figures::{Quantile, What};
use crate::within::{Network, joined};

/// How long an end waits for the other.
const LIMIT: Duration = Duration::from_secs(20);
/// What a stream writes at once.
const CHUNK: usize = 128 << 10;
/// What goes to and fro.
const MESSAGE: usize = 64;

/// A client and its instance.
pub(crate) struct Ends<'a> {
    pub(crate) client: &'a Network,
    pub(crate) instance: &'a Network,
    /// The address that the client connects to.
    pub(crate) address: Ipv6Addr,
}

/// Everything once.
pub(crate) fn measure(ends: &Ends<'_>, extent: &Extent) -> Result<Vec<(What, f64)>> {
    let mut all = vec![
        (What::Up, stream(ends, extent.stream, true)?),
        (What::Down, stream(ends, extent.stream, false)?),
    ];
    let trips = round_trips(ends, extent.round_trips)?;
    all.extend(Quantile::ALL.map(|quantile| (What::RoundTrip(quantile), quantile.of(&trips))));
    let connects = connects(ends, extent.connections)?;
    all.extend(Quantile::ALL.map(|quantile| (What::Connect(quantile), quantile.of(&connects))));
    Ok(all)
}

/// The instance listens and serves each of so many connections; the client does its work.
fn exchange<C: Send, S: Send>(
    ends: &Ends<'_>,
    connections: usize,
    serve: impl Fn(TcpStream) -> Result<S> + Send,
    ask: impl FnOnce(SocketAddr) -> Result<C> + Send,
) -> Result<(C, Vec<S>)> {
    let listener = ends.instance.run(|| Ok(TcpListener::bind("[::]:0")?))?;
    let to = SocketAddr::from((ends.address, listener.local_addr()?.port()));
    // A client that failed connects no more: the listener does not wait for ever.
    let limit = TimeVal::seconds(LIMIT.as_secs().cast_signed());
    setsockopt(&listener, sockopt::ReceiveTimeout, &limit)?;
    thread::scope(|scope| {
        let instance = ends.instance.spawn(scope, move || {
            let served = (0..connections).map(|_| serve(listener.accept()?.0));
            served.collect::<Result<Vec<S>>>()
        });
        let client = ends.client.spawn(scope, move || ask(to));
        Ok((joined(client)?, joined(instance)?))
    })
}

/// Bytes a second at the receiver. `up`: from the client to its instance.
fn stream(ends: &Ends<'_>, span: Duration, up: bool) -> Result<f64> {
    let serve = move |connection| {
        if up {
            receive(connection)
        } else {
            send(connection, span)
        }
    };
    let ask = move |to: SocketAddr| {
        let connection = TcpStream::connect_timeout(&to, LIMIT)?;
        if up {
            send(connection, span)
        } else {
            receive(connection)
        }
    };
    let (client, served) = exchange(ends, 1, serve, ask)?;
    Ok(if up { served[0] } else { client })
}

fn send(mut connection: TcpStream, span: Duration) -> Result<f64> {
    connection.set_write_timeout(Some(LIMIT))?;
    let chunk = vec![0x5a; CHUNK];
    let began = Instant::now();
    let mut sent = 0.0;
    while began.elapsed() < span {
        connection.write_all(&chunk)?;
        sent += CHUNK as f64;
    }
    Ok(sent / began.elapsed().as_secs_f64())
}

fn receive(mut connection: TcpStream) -> Result<f64> {
    connection.set_read_timeout(Some(LIMIT))?;
    let mut room = vec![0; CHUNK];
    let began = Instant::now();
    let mut received = 0.0;
    loop {
        match connection.read(&mut room)? {
            0 => return Ok(received / began.elapsed().as_secs_f64()),
            length => received += length as f64,
        }
    }
}

/// Microseconds of each message to and fro on one connection.
fn round_trips(ends: &Ends<'_>, count: usize) -> Result<Vec<f64>> {
    let serve = |mut connection: TcpStream| {
        connection.set_nodelay(true)?;
        let mut message = [0; MESSAGE];
        while connection.read_exact(&mut message).is_ok() {
            connection.write_all(&message)?;
        }
        Ok(())
    };
    let ask = move |to: SocketAddr| {
        let mut connection = TcpStream::connect_timeout(&to, LIMIT)?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(LIMIT))?;
        let mut message = [0; MESSAGE];
        let mut one = || -> Result<f64> {
            let began = Instant::now();
            connection.write_all(&message)?;
            connection.read_exact(&mut message)?;
            Ok(microseconds(began.elapsed()))
        };
        (0..count).map(|_| one()).collect()
    };
    exchange(ends, 1, serve, ask).map(|(trips, _)| trips)
}

/// Microseconds until each connection is open, one after the other.
fn connects(ends: &Ends<'_>, count: usize) -> Result<Vec<f64>> {
    let ask = move |to: SocketAddr| {
        let one = |_| -> Result<f64> {
            let began = Instant::now();
            let _connection = TcpStream::connect_timeout(&to, LIMIT)?;
            Ok(microseconds(began.elapsed()))
        };
        (0..count).map(one).collect()
    };
    exchange(ends, count, |_| Ok(()), ask).map(|(connects, _)| connects)
}

pub(crate) fn microseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}
